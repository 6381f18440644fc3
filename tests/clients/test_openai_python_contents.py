"""The official Python client against the served demo: images, files and structured answers."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from openai import OpenAI
from pydantic import BaseModel

PDF = f"data:application/pdf;base64,{b64encode(b'%PDF-1.7').decode()}"
PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "an image at an address": (
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        "an image at https://example.com/a.png (image/png)",
    ),
    "an image with an id": ({"type": "input_image", "file_id": "file_1"}, "an image with the id file_1"),
    "a file": (
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        'a file named "a.pdf" (application/pdf, 8 bytes)',
    ),
    "a file at an address": (
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        "a file at https://example.com/a.pdf (application/pdf)",
    ),
    "a file with an id": ({"type": "input_file", "file_id": "file_1"}, "a file with the id file_1"),
}


class Place(BaseModel):
    """A place, perhaps within another."""

    name: str
    size: float
    within: Place | None


def asking(*parts: Any) -> Any:
    return [{"role": "user", "content": [{"type": "input_text", "text": "What is this?"}, *parts]}]


def test_an_image_reaches_the_agent_and_stays_in_the_conversation(client: OpenAI, dot: bytes) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{b64encode(dot).decode()}"}
    response = client.responses.create(model="demo", input=asking(image))
    assert response.output_text.startswith("You sent an image (image/png, 70 bytes).")
    counted = client.responses.create(model="demo", input="How many messages?", previous_response_id=response.id)
    assert counted.output_text == "With this one you have sent 2 messages."


@pytest.mark.parametrize("what", PARTS)
def test_images_and_files_reach_the_agent(client: OpenAI, what: str) -> None:
    part, named = PARTS[what]
    response = client.responses.create(model="demo", input=asking(part))
    assert response.output_text.startswith(f"You sent {named}.")


def test_an_answer_is_read_into_a_class(client: OpenAI) -> None:
    response = client.responses.parse(model="demo", input="Go to 3", text_format=Place)
    assert response.output_parsed == Place(name="Go to 3", size=3, within=Place(name="Go to 3", size=3, within=None))


def test_a_class_is_filled_after_a_tool_of_the_agents(client: OpenAI) -> None:
    with client.responses.stream(model="demo", input="What is 6 * 7?", text_format=Place) as stream:
        response = stream.get_final_response()
    assert [item.type for item in response.output] == ["mcp_call", "message"]
    assert response.output_parsed is not None
    assert (response.output_parsed.name, response.output_parsed.size) == ("calculate answered: 6 * 7 = 42", 42)
