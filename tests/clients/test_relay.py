"""Relay's compiler takes the schema as it is, and its network goes on when a token runs out."""

import asyncio
import json
from pathlib import Path

import pytest
from cut_line import CutLine
from demo_server import DemoServer
from example_projects import node_project, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SUPPORT = "support-ivy"

FOLLOWS = """
const { fetchQuery, requestSubscription } = require("relay-runtime");
const { openDesk } = require("./environment.js");
const compiled = (name) => require(`./__generated__/${name}.graphql.js`).default;
const [url, id, ...tokens] = process.argv.slice(2);
const { environment } = openDesk(url, async () => tokens.shift());
const say = (what) => console.log(JSON.stringify(what));
fetchQuery(environment, compiled("casePageQuery"), { id }).subscribe({
  error: (error) => say({ error: String(error) }),
  complete: () =>
    requestSubscription(environment, {
      subscription: compiled("casePageSubscription"),
      variables: { id },
      onNext: ({ refundCaseUpdates: { event } }) => say(event ? event.sequence : "now"),
      onError: (error) => say({ error: String(error) }),
    }),
});
"""


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example with Relay's compiler."""
    return node_project("relay")


def test_fragments_pages_refetches_and_mutations_compile(project: Path) -> None:
    """A fragment is refetched through its node, two lists are connections, and an appended edge has its type."""
    run(["npm", "run", "--silent", "compile"], project)
    generated = {path.name.removesuffix(".graphql.ts") for path in (project / "src" / "__generated__").glob("*.ts")}
    assert generated >= {"casePageHistoryQuery", "casePageCasesQuery", "casePageQuery", "casePageApproveMutation"}
    refetch = (project / "src" / "__generated__" / "casePageHistoryQuery.graphql.ts").read_text()
    assert "node(id: $id)" in refetch


@pytest.mark.asyncio(loop_scope="module")
async def test_the_network_goes_on_when_a_token_runs_out(project: Path, demo: DemoServer) -> None:
    """A query with a spent token is sent again with the next; the stream goes on from its cursor with the last."""
    run(["npm", "run", "--silent", "check"], project)
    plain = ["--noEmit", "false", "--module", "commonjs", "--verbatimModuleSyntax", "false"]
    run(["npx", "--no-install", "tsc", *plain, "--rootDir", "src", "--outDir", "build"], project)
    (project / "build" / "package.json").write_text(json.dumps({"type": "commonjs"}))
    (project / "build" / "follows.js").write_text(FOLLOWS)
    case = await demo.open_case()
    spent, last = await demo.token(SUPPORT, 60), await demo.token(SUPPORT, 36_000)
    await demo.run_out(spent)
    short = await demo.token(SUPPORT)
    async with CutLine.to(demo.port) as line:
        process = await asyncio.create_subprocess_exec(
            *("node", "--experimental-websocket", "build/follows.js", f"{line.url}/graphql", case["id"]),
            *(spent, short, last),
            cwd=project,
            stdout=asyncio.subprocess.PIPE,
        )
        lines = process.stdout
        assert lines is not None
        told: list[object] = []

        async def until(wanted: object) -> None:
            async with asyncio.timeout(120):
                while wanted not in told:
                    said = await lines.readline()
                    assert said, "the follower ended"
                    told.append(json.loads(said))

        try:
            await until("now")
            await demo.state_something(case["id"])
            await until(2)
            line.down = True
            await demo.run_out(short)
            await demo.state_something(case["id"])
            await demo.state_something(case["id"])
            line.down = False
            await until(4)
        finally:
            process.kill()
            await process.wait()
    assert [one for one in told if one != "now"] == [2, 3, 4]
