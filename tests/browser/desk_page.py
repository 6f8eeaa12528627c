"""The desk inside GraphiQL, as a member of staff uses it."""

from playwright.async_api import Locator, Page, expect


def desk(page: Page) -> Locator:
    """Return the desk."""
    return page.get_by_role("region", name="Desk")


def rows(page: Page) -> Locator:
    """Return the rows of the list."""
    return desk(page).locator("tbody tr")


def row(page: Page, number: str) -> Locator:
    """Return the row of a case."""
    return rows(page).filter(has_text=number)


def case_page(page: Page, number: str) -> Locator:
    """Return the page of the case that is open."""
    return desk(page).get_by_role("article", name=number)


def outcome(page: Page) -> Locator:
    """Return what the desk says became of the last act."""
    return desk(page).get_by_role("status", name="What became of it")


async def open_case(page: Page, number: str) -> Locator:
    """Open a case from the list with a click."""
    await row(page, number).get_by_role("button", name=number).click()
    await expect(case_page(page, number)).to_be_visible()
    return case_page(page, number)


async def find(page: Page, text: str) -> None:
    """Look for cases in all of them, with the search field."""
    await desk(page).get_by_role("button", name="All", exact=True).click()
    await desk(page).get_by_role("searchbox", name="Search cases").fill(text)


async def open_found(page: Page, text: str) -> str:
    """Look for the one case that this text finds, open it, and return its number."""
    await find(page, text)
    await expect(rows(page)).to_have_count(1)
    await expect(row(page, text)).to_be_visible()
    number: str = await row(page, text).locator("th button").inner_text()
    await open_case(page, number)
    return number


def selected_row(page: Page) -> Locator:
    """Return the selected row."""
    return desk(page).locator("tr.selected")


async def go_to(page: Page, number: str) -> None:
    """Go to a case of the list with the keyboard."""
    await expect(row(page, number)).to_be_visible()
    while await selected_row(page).filter(has_text=number).count() == 0:
        numbers: list[str] = await rows(page).locator("th button").all_inner_texts()
        here: list[str] = await selected_row(page).locator("th button").all_inner_texts()
        key, way = ("k", -1) if here and numbers.index(here[0]) > numbers.index(number) else ("j", 1)
        await page.keyboard.press(key)
        there = numbers[numbers.index(here[0]) + way] if here else "RC-"
        await expect(selected_row(page)).to_contain_text(there)
