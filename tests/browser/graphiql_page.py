"""The page as a person uses it: sign in, open a tab, type, run, read."""

import json
from typing import Any

from playwright.async_api import Locator, Page, expect


async def sign_in_as(page: Page, name: str, role: str) -> None:
    """Pick a demo person in the sign-in dialog."""
    await sign_in_dialog(page).get_by_role("button", name=f"{name} {role}").first.click()
    await expect(page.get_by_test_id("person-name")).to_be_visible()


async def sign_in_with(page: Page, token: str) -> None:
    """Paste a token into the sign-in dialog and send it."""
    await sign_in_dialog(page).get_by_label("paste a token").fill(token)
    await sign_in_dialog(page).get_by_role("button", name="Sign in").click()


async def sign_in_by_link(page: Page, address: str, ref: str) -> None:
    """Follow the demo's link that signs a person in."""
    await page.goto(f"{address}/graphql#person={ref}")
    await expect(page.get_by_test_id("person-name")).to_be_visible()


async def hide_desk(page: Page) -> None:
    """Fold the desk away, which staff begin with."""
    await page.get_by_role("button", name="Hide Desk").click()
    await expect(page.get_by_role("region", name="Desk")).to_be_hidden()


def sign_in_dialog(page: Page) -> Locator:
    """Return the sign-in dialog."""
    return page.get_by_role("dialog", name="Sign in")


async def look_around(page: Page) -> None:
    """Close the sign-in dialog without signing in."""
    await sign_in_dialog(page).get_by_role("button", name="Look around without").click()


async def open_tab(page: Page, name: str) -> None:
    """Open one of the open tabs."""
    await tab(page, name).click()
    await expect(tab(page, name)).to_have_attribute("aria-current", "true")


def tabs(page: Page) -> Locator:
    """Return the list of open tabs."""
    return page.get_by_role("list", name="Select active operation")


def tab(page: Page, name: str) -> Locator:
    """Return an open tab by its operation's name."""
    return tabs(page).get_by_role("button", name=name, exact=True)


async def type_variables(page: Page, variables: dict[str, Any], indent: int | None = 2) -> None:
    """Replace what stands in the variables pane."""
    await _type(page, page.get_by_role("region", name="Variables"), json.dumps(variables, indent=indent))


async def type_headers(page: Page, headers: dict[str, str]) -> None:
    """Replace what stands in the headers pane."""
    await page.get_by_role("button", name="Headers", exact=True).click()
    await _type(page, page.get_by_role("region", name="Headers"), json.dumps(headers))


async def type_operation(page: Page, operation: str) -> None:
    """Replace what stands in the operation editor."""
    await _type(page, page.get_by_role("region", name="Operation Editor"), operation)


async def type_operation_plain(page: Page, operation: str) -> None:
    """Replace what stands in the operation editor by typing, where the page may not use the clipboard."""
    await _enter(page.get_by_role("region", name="Operation Editor"))
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(operation)


async def _type(page: Page, pane: Locator, text: str) -> None:
    # Pasted, because the editor closes brackets and quotes by itself while one types.
    await page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
    await _enter(pane)
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Control+V")


async def _enter(pane: Locator) -> None:
    # Not by a click: the middle of a long text may be out of view.
    await pane.locator(".view-lines:visible").first.wait_for()
    await pane.get_by_role("textbox").locator("visible=true").first.focus()


async def loaded(page: Page) -> None:
    """Wait until the operation stands in its editor."""
    await page.get_by_role("region", name="Operation Editor").locator(".view-line").first.wait_for()


async def run(page: Page) -> None:
    """Press the run button, once the operation stands in its editor: before that there is nothing to run."""
    await loaded(page)
    await page.get_by_role("button", name="Execute query").click()


async def prettify(page: Page) -> None:
    """Have the editors laid out."""
    await page.get_by_role("button", name="Prettify query").click()


async def stop(page: Page) -> None:
    """Press the stop button."""
    await page.get_by_role("button", name="Stop query").click()


async def response_text(page: Page) -> str:
    """Return the whole of the response pane, lines out of view included."""
    return await _text(page, "response.json")


async def variables_text(page: Page) -> str:
    """Return the whole of the variables pane, lines out of view included."""
    return await _text(page, "variables.json")


async def _text(page: Page, name: str) -> str:
    text: str = await page.evaluate(
        """(name) => __MONACO.editor.getModels().find((model) => model.uri.path.endsWith(name)).getValue()""", name
    )
    return text


async def response(page: Page, containing: str) -> dict[str, Any]:
    """Wait until the response pane holds this text, and return what it shows."""
    await page.wait_for_function(
        """(text) => __MONACO.editor.getModels()
            .some((model) => model.uri.path.endsWith('response.json') && model.getValue().includes(text))""",
        arg=containing,
    )
    shown: dict[str, Any] = json.loads(await response_text(page))
    return shown


async def stored(page: Page) -> str:
    """Return everything the page keeps in this browser, as one text."""
    text: str = await page.evaluate(
        "() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])"
    )
    return text
