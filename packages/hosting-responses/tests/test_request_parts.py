"""Pictures, files and sounds arrive as they were meant, or are refused where they stand."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import pytest
from agent_framework import Content
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.responses import ResponseInputAudioParam, ResponseInputFileParam, ResponseInputImageParam
from openai.types.responses.image_detail import ImageDetail

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses._inbound.request import messages_from_responses_input, parse

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
PDF = base64.b64encode(b"%PDF-1.7 and so on").decode()
DATA_URL = f"data:image/png;base64,{PNG}"
ADDRESS = "https://example.com/cat.png?size=1"


def image(**members: Any) -> dict[str, Any]:
    return {"type": "input_image", **members}


def file(**members: Any) -> dict[str, Any]:
    return {"type": "input_file", **members}


def audio(data: Any = "AAAA", form: Any = "wav") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def read(part: Any, role: str = "user") -> Content:
    """Return the content of a part of a message."""
    [message] = messages_from_responses_input([{"role": role, "content": [part]}])
    [content] = message.contents
    return content


def refusal(part: Any, role: str = "user") -> tuple[str | None, str | None]:
    """Return place and code of the refusal, from the part on."""
    with pytest.raises(InvalidRequest) as caught:
        messages_from_responses_input([{"role": role, "content": [part]}])
    return (caught.value.param or "").removeprefix("input[0].content[0]"), caught.value.detail_code


# --------------------------------------------------------------------------------------------------------- pictures
@pytest.mark.parametrize(
    ("url", "kind", "media_type"),
    [
        (DATA_URL, "data", "image/png"),
        (f"data:image/svg+xml;charset=utf-8;base64,{PNG}", "data", "image/svg+xml"),
        (f"data:;base64,{PNG}", "data", "image/png"),
        (ADDRESS, "uri", "image/png"),
        ("HTTP://example.com/cat.JPG", "uri", "image/jpeg"),
        ("http://[::1]:8080/cat", "uri", "image/*"),
        ("https://example.com/show.php", "uri", "image/*"),
        ("https://example.com/report.pdf", "uri", "image/*"),
    ],
)
def test_a_picture_is_data_or_an_address_and_always_has_a_media_type(url: str, kind: str, media_type: str) -> None:
    """Some clients of models fail over a content without one."""
    content = read(image(image_url=url))
    assert (content.type, content.media_type) == (kind, media_type)
    assert content.uri == url.replace("data:;", "data:image/png;")


def test_a_data_url_in_unusual_letters_becomes_one_that_every_client_knows() -> None:
    """Schemes and encodings know no case, but most programs do."""
    assert read(image(image_url=f"DATA:Image/PNG;BASE64,{PNG}")).uri == f"data:Image/PNG;base64,{PNG}"


@pytest.mark.parametrize("detail", get_args(ImageDetail))
def test_the_detail_is_kept_where_the_clients_look_for_it(detail: str) -> None:
    """It decides what the picture costs."""
    properties = read(image(image_url=DATA_URL, detail=detail)).additional_properties
    assert properties == {"openai": {"content_type": "input_image", "image_detail": detail}}


def test_a_picture_may_be_the_id_of_a_file() -> None:
    """The provider knows it; nobody here does."""
    content = read(image(file_id="file-1", detail="low"))
    assert (content.type, content.file_id, content.media_type) == ("hosted_file", "file-1", "image/*")
    assert content.additional_properties["openai"]["image_detail"] == "low"


def test_a_picture_with_an_address_and_an_id_keeps_both() -> None:
    """Agent Framework's own client sends such ones."""
    content = read(image(image_url=ADDRESS, file_id="file-1"))
    assert (content.type, content.uri, content.file_id) == ("uri", ADDRESS, "file-1")


# ------------------------------------------------------------------------------------------------------------ files
@pytest.mark.parametrize(
    ("data", "filename", "media_type"),
    [
        (f"data:text/csv;base64,{PDF}", "numbers.pdf", "text/csv"),
        (PDF, "report.pdf", "application/pdf"),
        (PDF, "REPORT.PDF", "application/pdf"),
        (PDF, "table.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (PDF, "notes.md", "text/markdown"),
        (PDF, "notes", "application/pdf"),
        (PDF, None, "application/pdf"),
        ("AAAA", "archive.unheard-of", "application/octet-stream"),
        ("AAAA", "data:text/html,x", "application/octet-stream"),
        ("AAAA", None, "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_what_its_url_says_or_its_name_or_its_first_bytes(
    data: str, filename: str | None, media_type: str
) -> None:
    """In this order; the same on every machine."""
    content = read(file(file_data=data, filename=filename))
    assert (content.type, content.media_type, content.name) == ("data", media_type, filename)
    assert content.uri == (data if data.startswith("data:") else f"data:{media_type};base64,{data}")
    assert content.additional_properties == {"openai": {"content_type": "input_file"}}


@pytest.mark.parametrize(
    ("url", "filename", "media_type"),
    [
        ("https://example.com/report.pdf", None, "application/pdf"),
        ("https://example.com/download?id=1", "report.pdf", "application/pdf"),
        ("https://example.com/download?id=1", None, "application/octet-stream"),
    ],
)
def test_the_address_of_a_file_is_passed_on(url: str, filename: str | None, media_type: str) -> None:
    """Nobody here opens it."""
    content = read(file(file_url=url, filename=filename))
    assert (content.type, content.uri, content.media_type, content.name) == ("uri", url, media_type, filename)


def test_a_file_may_be_an_id() -> None:
    content = read(file(file_id="file-1", filename="report.pdf"))
    assert (content.type, content.file_id, content.name) == ("hosted_file", "file-1", "report.pdf")
    assert content.media_type == "application/pdf"


# ----------------------------------------------------------------------------------------------------------- sounds
@pytest.mark.parametrize(("form", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
@pytest.mark.parametrize("head", ["", "data:audio/x;base64,"])
def test_a_sound_is_data_of_its_format(form: str, media_type: str, head: str) -> None:
    """Agent Framework's own client of this API sends a data URL in place of bare base64."""
    content = read(audio(f"{head}AAAA", form))
    assert (content.type, content.media_type) == ("data", media_type)
    assert (content.uri or "").endswith(";base64,AAAA")


# ------------------------------------------------------------------------------------------------------------ where
@pytest.mark.parametrize("part", [image(image_url=DATA_URL), file(file_data=PDF), {"type": "input_text", "text": "t"}])
@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call"])
def test_outputs_of_functions_and_custom_tools_may_hold_parts(kind: str, part: dict[str, Any]) -> None:
    """They stay apart in the items of the result, each as it would be in a message."""
    call = {"type": kind, "call_id": "c", "name": "look", "arguments": "{}", "input": ""}
    output = {"type": f"{kind}_output", "call_id": "c", "output": [part]}
    [_, answer] = messages_from_responses_input([call, output])
    [item] = answer.contents[0].items or []
    assert item.to_dict() == read(part).to_dict()


def test_the_system_may_show_pictures_too() -> None:
    assert read(image(image_url=DATA_URL), role="developer").type == "data"


def test_the_pure_helper_needs_no_host() -> None:
    """And leaves the caller's own objects as they were."""
    part = image(image_url=DATA_URL, detail="high")
    before = dict(part)
    assert read(part).uri == DATA_URL
    assert part == before


# --------------------------------------------------------------------------------------------------------- refusals
NO_URLS = [
    *("cat.png", "ftp://example.com/cat.png", "file:///etc/passwd", "javascript:alert(1)", "//example.com/cat"),
    *("http:example.com", "http:///cat", "https://", "https://exa mple.com", "https://a\nb", "http://[::1/cat"),
]
NO_BASE64 = ["A", "AAA", "AA\n==", "AA-_", "====", "AAAA=", "é===", "A==="]
NO_DATA = [
    *("data:", "data:,", "data:image/png,x", "data:image/png;base64", "data:image/png;base64,", "data:;base64"),
    *(f"data:image/png;base64,{bad}" for bad in NO_BASE64),
    *("data:image;base64,AAAA", "data:image/png;base64;x=y,AAAA", "data:" + "x" * 5000 + ",AAAA"),
]
NO_PICTURES = ["data:text/html;base64,AAAA", "data:;base64,AAAA", f"data:application/pdf;base64,{PDF}"]

MALFORMED: list[tuple[dict[str, Any], str, str]] = [
    *((image(image_url=url), ".image_url", "invalid_value") for url in (*NO_URLS, *NO_DATA, *NO_PICTURES, "")),
    *((file(file_url=url), ".file_url", "invalid_value") for url in (*NO_URLS, *NO_DATA, DATA_URL, "")),
    *((file(file_data=data), ".file_data", "invalid_value") for data in (*NO_DATA, *NO_URLS, "A", "AA-_", "")),
    (image(), ".image_url", "missing_required_parameter"),
    (image(image_url=None, file_id=None), ".image_url", "missing_required_parameter"),
    (image(image_url=5), ".image_url", "invalid_type"),
    (image(image_url={"url": DATA_URL}), ".image_url", "invalid_type"),
    (image(file_id=5), ".file_id", "invalid_type"),
    (image(file_id=""), ".file_id", "invalid_value"),
    (image(image_url=ADDRESS, detail="best"), ".detail", "invalid_value"),
    (image(image_url=ADDRESS, detail=1), ".detail", "invalid_type"),
    (file(), ".file_data", "missing_required_parameter"),
    (file(filename="a.pdf"), ".file_data", "missing_required_parameter"),
    (file(file_data=5), ".file_data", "invalid_type"),
    (file(file_data=PDF, filename=5), ".filename", "invalid_type"),
    (file(file_data=PDF, file_id="f"), ".file_id", "mutually_exclusive_parameters"),
    (file(file_url=ADDRESS, file_id="f"), ".file_id", "mutually_exclusive_parameters"),
    (file(file_data=PDF, file_url=ADDRESS), ".file_url", "mutually_exclusive_parameters"),
    ({"type": "input_audio"}, ".input_audio", "missing_required_parameter"),
    ({"type": "input_audio", "input_audio": []}, ".input_audio", "invalid_type"),
    (audio(None), ".input_audio.data", "missing_required_parameter"),
    (audio("A"), ".input_audio.data", "invalid_value"),
    (audio("https://example.com/a.wav"), ".input_audio.data", "invalid_value"),
    (audio(form="ogg"), ".input_audio.format", "invalid_value"),
    (audio(form=None), ".input_audio.format", "missing_required_parameter"),
]


@pytest.mark.parametrize(("part", "place", "code"), MALFORMED)
def test_a_malformed_part_is_refused_where_it_stands(part: dict[str, Any], place: str, code: str) -> None:
    """The provider would only say that something was wrong."""
    assert refusal(part) == (place, code)


@pytest.mark.parametrize("part", [image(image_url=DATA_URL), file(file_data=PDF), audio()])
def test_the_assistant_says_no_pictures_and_files(part: dict[str, Any]) -> None:
    """OpenAI knows none in its messages."""
    assert refusal(part, role="assistant") == (".type", "invalid_value")


def test_the_output_of_a_function_holds_no_sounds() -> None:
    """OpenAI takes texts, pictures and files there."""
    with pytest.raises(InvalidRequest) as caught:
        messages_from_responses_input([{"type": "function_call_output", "call_id": "c", "output": [audio()]}])
    assert (caught.value.param, caught.value.detail_code) == ("input[0].output[0].type", "invalid_value")


def test_pictures_count_as_parts() -> None:
    """A request has a bounded number of them."""
    content = [image(image_url=DATA_URL)] * 9
    with pytest.raises(RequestTooLarge):
        parse({"input": [{"role": "user", "content": content}]}, limits=Limits(max_input_items=2))


# ------------------------------------------------------------------------------------------------------------ words
@pytest.mark.parametrize(
    ("params", "part"),
    [
        (ResponseInputImageParam, image(image_url=DATA_URL)),
        (ResponseInputFileParam, file(file_data=PDF)),
        (ResponseInputAudioParam, audio()),
    ],
)
def test_every_member_of_the_sdks_own_parts_is_taken(params: Any, part: Mapping[str, Any]) -> None:
    """Null members show that the names are known; a cache's marks say nothing to an agent."""
    members = set(get_type_hints(params))
    assert set(part) <= members
    assert read({**dict.fromkeys(members), **part})


# ------------------------------------------------------------------------------------------------------- properties
@given(st.binary(min_size=1))
def test_any_bytes_survive_in_either_form(data: bytes) -> None:
    """Base64 of anything is base64."""
    coded = base64.b64encode(data).decode()
    for part in (file(file_data=coded), file(file_data=f"data:a/b;base64,{coded}")):
        assert base64.b64decode((read(part).uri or "").partition(";base64,")[2]) == data


@given(st.text("Aa0+/=-_\n ", max_size=9))
@example("AAAA")
@example("AA==")
@example("AAAA=")
def test_what_is_taken_for_base64_is_base64(data: str) -> None:
    """Judged by the standard library, strictly; it overlooks padding after a whole group."""
    try:
        base64.b64decode(data, validate=True)
        is_base64 = data != "" and len(data) % 4 == 0
    except ValueError:
        is_base64 = False
    try:
        read(file(file_data=data))
        taken = True
    except InvalidRequest:
        taken = False
    assert taken == is_base64


hostile = st.text(max_size=30) | st.text("data:base64,;/=AhtpsHTTP.[]@\n\x00é ", max_size=40)
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_image", "input_file", "input_audio", "computer_screenshot"])},
    optional={
        **dict.fromkeys(("image_url", "file_url", "file_data", "file_id", "filename"), hostile | st.none()),
        "detail": hostile | st.sampled_from(["auto", "high"]),
        "input_audio": st.none() | st.fixed_dictionaries({"data": hostile, "format": hostile}),
    },
)


@given(parts, st.sampled_from(["user", "assistant", "system"]))
def test_any_part_gives_a_content_with_a_media_type_or_an_error_of_the_callers(part: Any, role: str) -> None:
    """Never another exception; and what is taken, the core takes too."""
    try:
        content = read(part, role)
    except InvalidRequest:
        return
    assert Content.from_dict(content.to_dict()).to_dict() == content.to_dict()
    if content.type != "hosted_file":
        assert Content.from_uri(content.uri or "", media_type=content.media_type).type == content.type
        assert content.media_type


@pytest.mark.parametrize("bad", ["A", "=", "-", "\n"])
def test_a_big_picture_is_checked_in_no_time(bad: str) -> None:
    """Ten million characters, the last of which is wrong, or not."""
    big = "data:image/png;base64," + "A" * 10_000_000
    began = time.process_time()
    assert refusal(image(image_url=big + bad)) == (".image_url", "invalid_value")
    assert read(image(image_url=big)).uri == big
    assert time.process_time() - began < 5
