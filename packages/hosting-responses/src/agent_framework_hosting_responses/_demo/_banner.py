"""What a person reads when the demo starts: who answers, and what to type next."""

from __future__ import annotations

from typing import Final

from ._settings import NO_KEY, DemoSettings, OfflineModel, OpenAIModel

_OFFLINE: Final = """\
An embedded offline demo model answers: a few fixed rules, no AI, no network. It does run three
real tools and remember the conversation. For a real model: set OPENAI_API_KEY, or name a server
that speaks OpenAI's API with --base-url URL --model NAME."""

_NEXT: Final = """\
Ask it something (in another terminal):

  curl {url}/v1/responses -H "content-type: application/json" \\
    -d '{{"model": "demo", "input": "What is 6 * 7?"}}'

Watch the answer come word by word:

  curl -N {url}/v1/responses -H "content-type: application/json" \\
    -d '{{"model": "demo", "input": "Hello! What can you do?", "stream": true}}'

Hold a conversation from Python (pip install openai):

  from openai import OpenAI

  client = OpenAI(base_url="{url}/v1", api_key="none")
  first = client.responses.create(model="demo", input="My name is Ada.")
  second = client.responses.create(
      model="demo", input="What is my name?", previous_response_id=first.id
  )
  print(second.output_text)

Stop with Ctrl+C."""


def banner(settings: DemoSettings) -> str:
    """Return the text."""
    return f"Demo agent at {settings.url}\n\n{_who(settings)}\n\n{_NEXT.format(url=settings.url)}\n"


def _who(settings: DemoSettings) -> str:
    match settings.model:
        case OfflineModel():
            return _OFFLINE
        case OpenAIModel(api=api, model=name, base_url=base_url, api_key=key):
            spoken = "Responses" if api == "responses" else "Chat Completions"
            known = "without a key" if key == NO_KEY else "with the key in OPENAI_API_KEY"
            return f"The model {name} answers, through the {spoken} API at {base_url}, {known}."
