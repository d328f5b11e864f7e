"""The text of `/agents.md`: how a program draws here, with examples that work as they stand."""

import inspect
import json
from collections.abc import Callable
from typing import Any

from PIL import Image

from var_core.jobs.data_url import png_url
from var_core.model_info import ModelInfo
from var_core.serving.all_endpoints import Api

HEAD = """# VAR Studio for programs

This server draws with the model {name}: {pixels} pixels, {scales} scales. Pictures travel as PNG
data URLs (`data:image/png;base64,...`). Values that a call leaves out take their defaults. A call
has two steps, here for `generate`, where `$site` is the address of this server:

```bash
body='{body}'
call="$site/gradio_api/call"
event=$(curl -s "$call/v2/generate" -H "Content-Type: application/json" -d "$body" |
  cut -d '"' -f 4)
curl -sN "$call/generate/$event"
```

The last line that begins with `data:` holds the result, a list of one object with `pictures`,
`labels`, `seeds` and `token_maps`. In Python, `gradio_client.Client(site).predict(...)` does the
same, with `api_name="/generate"`.

Every endpoint below comes with a body that works as it stands.
"""
TOOLS = """
## Tools for assistants

`{site}/mcp` speaks the Model Context Protocol (streamable HTTP) and offers the tools `generate`,
`edit` and `describe`.
"""
TINY = png_url(Image.new("RGB", (16, 16), "white"))


def agent_guide(api: Api, has_tools: bool) -> str:
    """The guide to the endpoints of a model.

    Args:
        api: the endpoints.
        has_tools: whether assistants find tools too.
    """
    info = api.engine.info
    bodies = example_bodies(info)
    parts = [
        HEAD.format(
            name=info.name,
            pixels="x".join(map(str, info.image_shape[::-1])),
            scales=info.schedule.num_scales,
            body=json.dumps(bodies["generate"], ensure_ascii=True).replace("'", "\\u0027"),
        )
    ]
    parts += [_section(one, bodies) for one in (*api.queued(), *api.immediate())]
    if has_tools:
        parts.append(TOOLS.format(site="$site"))
    return "".join(parts)


def example_bodies(info: ModelInfo) -> dict[str, dict[str, Any]]:
    """A body for each endpoint that needs no earlier result."""
    attributes = {one.name: one.values[0] for one in info.labels.attributes[-1:]}
    wish: dict[str, Any] = {"labels": attributes}
    if info.labels.menus:
        wish["prompt"] = info.labels.menus[0].choices[0].phrase
    sides = {"rows": {"guidance_scale": [0, 3]}, "columns": {"seed": [1, 2]}}
    return {
        "generate": {**wish, "seed": 7},
        "stream": {**wish, "seed": 7},
        "compare": {**wish, **sides},
        "edit": {"picture": TINY, "mask": TINY, **wish},
        "outpaint": {"picture": TINY, "right": 8, **wish},
        "vary": {"picture": TINY, "keep_scales": 1, **wish},
        "tokenize": {"picture": TINY},
        "look_inside": {"picture": TINY, **wish},
        "animate": {"labels": {}, "seed": 7},
        "about": {},
    }


def _section(endpoint: Callable[..., Any], bodies: dict[str, dict[str, Any]]) -> str:
    """What one endpoint does, its arguments, and a body."""
    words, _, arguments = (inspect.getdoc(endpoint) or "").partition("Args:")
    name = endpoint.__name__
    lines = [f"\n## {name}\n", words.strip(), ""]
    lines += [f"- `{one[0]}`: {one[2].strip()}" for one in _named(arguments)]
    if name in bodies:
        lines += ["", "```json", json.dumps(bodies[name]), "```"]
    else:
        lines += ["", "It needs a picture or `token_maps` of an earlier result."]
    return "\n".join(lines) + "\n"


def _named(arguments: str) -> list[tuple[str, str, str]]:
    return [line.strip().partition(":") for line in arguments.splitlines() if ":" in line]
