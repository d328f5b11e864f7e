"""`/agents.md`: every endpoint is described, and its examples work as they stand."""

import json
import re
import subprocess

import pytest

from tests.clients import API, Client
from tests.patience import LIMIT_SECONDS
from tests.prompted_models import make_prompted
from var_core import VARPipeline
from var_core.serving.agent_guide import agent_guide
from var_core.serving.all_endpoints import Api
from var_core.serving.local_engine import LocalEngine

SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def api_of(pipeline: VARPipeline) -> Api:
    return Api(LocalEngine(pipeline.info, lambda dtype: pipeline))


def test_the_examples_of_the_guide_run(url: str) -> None:
    client = Client(url)
    status, guide = client.ask("GET", "/agents.md")
    assert status == 200
    (script,) = (code for kind, code in BLOCK.findall(guide) if kind == "bash")
    command = ["bash", "-c", f"set -e\nsite={url}\n{script}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    last = [line for line in run.stdout.splitlines() if line.startswith("data: [")][-1]
    (drawn,) = json.loads(last.removeprefix("data: "))
    assert drawn["pictures"][0].startswith("data:image/png;base64,")
    sections = dict(SECTION.findall(guide))
    run_bodies = 0
    for name, text in sections.items():
        for _, body in BLOCK.findall(text):
            status, said = client.ask("POST", f"{API}/call/v2/{name}", body.encode())
            assert status == 200, said
            *_, (kind, result) = client.events(name, json.loads(said)["event_id"])
            assert kind == "complete", (name, result)
            run_bodies += 1
    assert run_bodies >= 9


@pytest.mark.parametrize("has_tools", [False, True])
def test_every_endpoint_and_argument_is_described(has_tools: bool) -> None:
    api = api_of(make_prompted())
    guide = agent_guide(api, has_tools)
    sections = dict(SECTION.findall(guide))
    for endpoint in (*api.queued(), *api.immediate()):
        text = sections[endpoint.__name__]
        for name in endpoint.__annotations__:
            assert name == "return" or f"- `{name}`: " in text, (endpoint.__name__, name)
    assert ("$site/mcp" in guide) is has_tools
    assert '"prompt": "a fox"' in guide  # of this model
