"""Tokens of an identity provider: forged ones get nothing but one 401, and keys are fetched seldom and by one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent_framework_hosting.auth import AnyOf, ApiKeys, JwtBearer, hash_key, new_key
from agent_framework_hosting.auth.keyset import FetchedKeys, fetch_document, is_safe_url
from agent_framework_hosting.door import Door
from agent_framework_hosting.errors import ConfigurationError, Unavailable
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, LoopbackDriver, ScriptedAgent

ISSUER: Final = "https://login.example.com/tenant/v2.0"
AUDIENCE: Final = "api://agent"
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE: Final = ec.generate_private_key(ec.SECP256R1())
PEM: Final = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as issuers publish it."""
    algorithm = jwt.get_algorithm_by_name("ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


KEYS: Final = {"keys": [jwk(KEY, "first"), jwk(CURVE, "curve")]}


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; a claim that is changed to `None` is left out."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "tid": "acme",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "scp": "agent.chat agent.read",
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def token(*, key: Any = KEY, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changed: Any) -> str:
    """Sign a token."""
    return jwt.encode(claims(**changed), key, algorithm, headers={"kid": "first", **(headers or {})})


def packed(value: object) -> str:
    """Return a part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: object, payload: object, signature: bytes = b"x" * 256) -> str:
    """Put a token together that no library would."""
    return f"{packed(header)}.{packed(payload)}.{packed(signature)}"


def with_secret(secret: bytes, algorithm: str = "HS256") -> str:
    """Sign with what everybody knows, as if it were a shared secret."""
    head = f"{packed({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{packed(claims())}"
    return f"{head}.{packed(hmac.new(secret, head.encode(), hashlib.sha256).digest())}"


def flipped(place: float) -> str:
    """Flip a bit of a good token's signature or content."""
    good = token()
    index = int(len(good) * place)
    other = "A" if good[index] != "A" else "Q"
    return good[:index] + other + good[index + 1 :]


def unsigned() -> str:
    """A good token without its signature."""
    return token().rpartition(".")[0] + "."


NOW = int(time.time())
FORGED: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: jwt.encode(claims(), "", "none"),
    "None in other letters": lambda: by_hand({"alg": "nOnE", "kid": "first"}, claims(), b""),
    "no signature": unsigned,
    "HS256 with the public key": lambda: with_secret(PEM.encode()),
    "HS256 with the public key's line": lambda: with_secret(PEM.strip().encode()),
    "HS256 with nothing": lambda: with_secret(b""),
    "HS256 called RS256": lambda: with_secret(PEM.encode(), "RS256"),
    "another key": lambda: token(key=OTHER),
    "an algorithm that is not taken": lambda: token(algorithm="PS256"),
    "the curve's key id": lambda: token(headers={"kid": "curve"}),
    "a curve called first": lambda: token(key=CURVE, algorithm="ES256"),
    "a list of algorithms": lambda: by_hand({"alg": ["RS256"], "kid": "first"}, claims()),
    "no algorithm said": lambda: by_hand({"kid": "first"}, claims()),
    "another issuer": lambda: token(iss="https://login.evil.example/tenant/v2.0"),
    "the issuer with a slash": lambda: token(iss=ISSUER + "/"),
    "issuers in a list": lambda: by_hand({"alg": "RS256", "kid": "first"}, claims(iss=[ISSUER])),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="api://other"),
    "no audience": lambda: token(aud=None),
    "an empty audience": lambda: token(aud=[]),
    "another tenant": lambda: token(tid="evil"),
    "no tenant": lambda: token(tid=None),
    "expired": lambda: token(exp=NOW - 61),
    "never expires": lambda: token(exp=None),
    "expires at infinity": lambda: token(exp=float("inf")),
    "expires at no number": lambda: token(exp="never"),
    "not before tomorrow": lambda: token(nbf=NOW + 86_400),
    "issued tomorrow": lambda: token(iat=NOW + 86_400),
    "nobody's": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a subject with a line break": lambda: token(sub="ada\nbob"),
    "a subject without end": lambda: token(sub="a" * 300),
    "a path as key id": lambda: token(key=OTHER, headers={"kid": "../../../../dev/null"}),
    "SQL as key id": lambda: token(key=OTHER, headers={"kid": "x' UNION SELECT 'secret' --"}),
    "a list as key id": lambda: by_hand({"alg": "RS256", "kid": ["first"]}, claims()),
    "a key of its own": lambda: token(key=OTHER, headers={"jwk": jwk(OTHER, "first")}),
    "an address of its own": lambda: token(key=OTHER, headers={"jku": "https://evil.example/keys", "kid": "evil"}),
    "a certificate of its own": lambda: token(key=OTHER, headers={"x5u": "https://evil.example/c", "x5c": ["MIIB"]}),
    "something critical": lambda: token(headers={"crit": ["x"], "x": 1}),
    "a bit flipped in the head": lambda: flipped(0.02),
    "a bit flipped in the claims": lambda: flipped(0.3),
    "a bit flipped in the signature": lambda: flipped(0.8),
    "a list as head": lambda: by_hand([], claims()),
    "a list as claims": lambda: by_hand({"alg": "RS256", "kid": "first"}, []),
    "a head without end": lambda: f"{packed(b'[' * 5000)}.x.x",
    "two parts": lambda: ".".join(token().split(".")[:2]),
    "five parts": lambda: token() + ".a.b",
    "no token": lambda: "ada",
    "too long": lambda: token(pad="x" * 9000),
    "one that was cut": lambda: token()[:-20],
}


@pytest.fixture
def who(make_probe: Any) -> Any:
    """Return a channel that tells who is calling."""

    async def tell(_: Request) -> JSONResponse:
        principal = probe.context.principal
        return JSONResponse([principal.tenant, principal.id, sorted(principal.scopes), principal.claims.get("iss")])

    probe = make_probe(routes=[Route("/", tell), Route("/{rest:path}", tell, methods=["GET", "POST"])])
    return probe


def bearer(**options: Any) -> JwtBearer:
    """Return an authenticator that needs no network."""
    return JwtBearer(issuer=ISSUER, audience=AUDIENCE, keys=KEYS, **options)


def sent(text: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"authorization": f"Bearer {text}"}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_a_forged_token_gets_the_same_401_as_every_other_and_the_log_says_why_without_it(
    who: Any, caplog: pytest.LogCaptureFixture, forged: Callable[[], str]
) -> None:
    """Beside a good one, to show that only what was forged is wrong with it."""
    caplog.set_level(logging.DEBUG, logger="agent_framework.hosting")
    auth = bearer(tenant_claim="tid", tenants=["acme"])
    async with InMemoryDriver(AgentFrameworkHost(ScriptedAgent(), channels=[who], auth=auth).app) as driver:
        good = await driver.request("GET", "/probe", headers=sent(token()))
        assert good.json() == ["acme", "ada", ["agent.chat", "agent.read"], ISSUER]
        caplog.clear()
        text = forged()
        answer = await driver.request("GET", "/probe", headers=sent(text))
        unknown = await driver.request("GET", "/probe", headers=sent("unknown"))
    assert (answer.status, answer.body) == (401, unknown.body)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    parts = [part for part in text.split(".") if len(part) > 20]
    assert not any(part in caplog.text for part in parts)
    # In words that somebody can act on.
    assert re.search(r"A bearer token was refused: (it|its|a|the) [a-z]+ ", caplog.text)


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer {}"), ("authorization", "Bearer {}")],
        [("authorization", "Bearer {}"), ("authorization", "Basic eA==")],
        [("authorization", "Bearer {}, Bearer {}")],
        [("authorization", "Basic {}")],
        [("authorization", "{}")],
        [("x-authorization", "Bearer {}")],
        [("cookie", "authorization={}")],
    ],
)
async def test_a_token_counts_only_in_the_one_header_that_is_its_place(
    who: Any, headers: list[tuple[str, str]]
) -> None:
    """Two of them are none: what stands in front may have looked at the other one."""
    good = token()
    async with InMemoryDriver(AgentFrameworkHost(ScriptedAgent(), channels=[who], auth=bearer()).app) as driver:
        filled = [(name, value.replace("{}", good)) for name, value in headers]
        assert (await driver.request("GET", "/probe", headers=filled)).status == 401
        assert (await driver.request("GET", f"/probe?access_token={good}")).status == 401


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, {}),
        ({}, {"aud": ["api://other", AUDIENCE]}),
        ({"algorithms": ["ES256"]}, {"key": CURVE, "algorithm": "ES256", "headers": {"kid": "curve"}}),
        ({"algorithms": ["PS256", "RS256"]}, {"algorithm": "PS256"}),
        ({}, {"exp": -30}),
        ({}, {"nbf": 30}),
        ({}, {"headers": {"typ": "at+jwt", "x5t": "abc"}}),
        ({"audience": ["api://old", AUDIENCE]}, {}),
        ({"keys": PEM}, {}),
        ({"id_claim": "oid"}, {"oid": "ada", "sub": "pairwise"}),
        ({"scope_claims": ["roles"]}, {"roles": ["agent.read", "agent.chat", 3]}),
    ],
)
async def test_a_good_token_names_its_caller(options: dict[str, Any], changed: dict[str, Any]) -> None:
    """Within the leeway of clocks, by whichever of several audiences, algorithms and claims."""
    given: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": KEYS, **options}
    claims = {name: int(time.time()) + value if name in ("exp", "nbf") else value for name, value in changed.items()}
    principal = await JwtBearer(**given).principal_of(token(**claims))
    assert principal is not None
    assert (principal.tenant, principal.id, principal.kind) == ("default", "ada", "caller")
    assert principal.scopes == {"agent.chat", "agent.read"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"algorithms": []}, "has to be a list"),
        ({"algorithms": "RS256"}, "has to be a list"),
        ({"algorithms": ["none"]}, "whoever can verify a token make one"),
        ({"algorithms": ["RS256", "HS256"]}, "whoever can verify a token make one"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": "http://login.example.com"}, "https"),
        ({"issuer": "login.example.com"}, "https"),
        ({"jwks_url": "http://10.0.0.1/keys"}, "https"),
        ({"jwks_url": "file:///etc/passwd"}, "https"),
        ({"jwks_url": "https://x/keys", "keys": KEYS}, "not both"),
        ({"keys": {"keys": []}}, "public key"),
        ({"keys": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, "public key"),
        ({"keys": {"keys": [jwk(KEY, "x", use="enc")]}}, "public key"),
        ({"keys": "secret"}, "public key"),
        ({"tenants": ["acme"]}, "tenant_claim"),
        ({"tenant": "acme", "tenant_claim": "tid"}, "tenant_claim"),
        ({"tenant_claim": "tid", "tenants": []}, "tenants"),
    ],
)
def test_what_would_let_in_the_wrong_ones_or_nobody_is_refused_at_construction(
    options: dict[str, Any], said: str
) -> None:
    """The message says what is wrong."""
    given: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, **options}
    with pytest.raises(ConfigurationError, match=said):
        JwtBearer(**given)


def test_without_pyjwt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is constructed, not when the first caller comes."""
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(ConfigurationError, match='Install the "auth" extra'):
        bearer()


async def test_scopes_are_asked_for_in_all_channels_or_in_one(make_probe: Any) -> None:
    """Who is known and lacks one gets 403, and is told which; who is nobody gets 401."""

    async def hello(_: Request) -> Response:
        return Response("hello")

    channels = [make_probe(name=name, path=f"/{name}", routes=[Route("/", hello)]) for name in ("chat", "admin")]
    door = Door(scopes={"admin": ["agent.admin", "agent.chat"]})
    async with InMemoryDriver(
        AgentFrameworkHost(ScriptedAgent(), channels=channels, auth=bearer(), door=door).app
    ) as driver:
        assert (await driver.request("GET", "/chat", headers=sent(token()))).status == 200
        answer = await driver.request("GET", "/admin", headers=sent(token()))
        assert (answer.status, answer.json()["error"]["code"]) == (403, "insufficient_scope")
        challenge = 'Bearer error="insufficient_scope", scope="agent.admin agent.chat"'
        assert answer.headers["www-authenticate"] == challenge
        granted = token(scp="agent.chat agent.admin")
        assert (await driver.request("GET", "/admin", headers=sent(granted))).status == 200
        assert (await driver.request("GET", "/admin")).headers["www-authenticate"] == "Bearer"
        assert (await driver.request("GET", "/readiness")).status == 200
    everywhere = AgentFrameworkHost(ScriptedAgent(), channels=channels, door=Door(scopes=["agent.chat"]))
    async with InMemoryDriver(everywhere.app) as driver:
        # Nobody could have been granted anything where nobody is asked.
        assert (await driver.request("GET", "/chat")).status == 401


async def test_keys_and_tokens_stand_side_by_side(who: Any) -> None:
    """The first that knows the caller has said it; the start line names both."""
    key = new_key()
    auth = AnyOf(ApiKeys({"batch": hash_key(key)}), bearer(tenant="people"))
    host = AgentFrameworkHost(ScriptedAgent(), channels=[who], auth=auth)
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", "/probe", headers=sent(key))).json()[:2] == ["default", "batch"]
        assert (await driver.request("GET", "/probe", headers=sent(token()))).json()[:2] == ["people", "ada"]
        assert (await driver.request("GET", "/probe", headers=sent("neither"))).status == 401
    assert auth.__name__ == "ApiKeys or JwtBearer"


async def test_an_issuer_that_does_not_answer_keeps_nobody_elses_people_out(who: Any) -> None:
    """Neither is it asked for the keys of another one's tokens."""
    issuer = Issuer()
    issuer.answer = Response(status_code=500)
    async with issuer.driver as driver:
        away = JwtBearer(issuer=driver.base_url, audience=AUDIENCE, tenant="others")
        host = AgentFrameworkHost(ScriptedAgent(), channels=[who], auth=AnyOf(away, bearer()))
        async with InMemoryDriver(host.app) as app:
            assert (await app.request("GET", "/probe", headers=sent(token()))).status == 200
            assert issuer.asked == []
            own = sent(token(iss=driver.base_url))
            assert (await app.request("GET", "/probe", headers=own)).status == 503
    assert len(issuer.asked) == 1


def test_two_issuers_cannot_speak_for_each_others_people() -> None:
    """Each needs tenants of its own."""
    other = JwtBearer(issuer="https://other.example", audience=AUDIENCE, keys=KEYS)
    with pytest.raises(ConfigurationError, match="speak for each other's"):
        AnyOf(bearer(), other)
    with pytest.raises(ConfigurationError, match="speak for each other's"):
        AnyOf(bearer(tenant_claim="tid"), other)
    with pytest.raises(ConfigurationError, match="speak for each other's"):
        AnyOf(bearer(), AnyOf(AnyOf(other)))
    AnyOf(bearer(tenant="acme"), other)
    AnyOf(bearer(tenant_claim="tid", tenants=["acme"]), other)
    with pytest.raises(ConfigurationError, match="refuse everybody"):
        AnyOf()


class Issuer:
    """Publishes keys on a loopback address, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: list[dict[str, Any]] = [jwk(KEY, "first")]
        self.answer: Response | None = None
        routes = [Route("/{path:path}", self.serve)]
        self.driver = LoopbackDriver(Starlette(routes=routes))

    async def serve(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if self.answer is not None:
            return self.answer
        if request.url.path.endswith("openid-configuration"):
            url = self.driver.base_url
            return JSONResponse({"issuer": f"{url}/", "jwks_uri": f"{url}/keys"})
        return JSONResponse({"keys": self.keys})


async def test_keys_are_found_at_the_issuer_and_a_new_one_is_fetched_when_a_token_names_it() -> None:
    """By discovery, over HTTP, once for a hundred callers who come at the same time."""
    issuer = Issuer()
    async with issuer.driver as driver:
        auth = JwtBearer(issuer=f"{driver.base_url}/", audience=AUDIENCE, refresh_interval=0.001)
        own: dict[str, Any] = {"iss": f"{driver.base_url}/"}
        told = await asyncio.gather(*(auth.principal_of(token(**own)) for _ in range(100)))
        assert all(principal is not None and principal.id == "ada" for principal in told)
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
        issuer.keys.append(jwk(OTHER, "second"))
        rotated = token(key=OTHER, headers={"kid": "second"}, **own)
        assert await auth.principal_of(rotated) is not None
        assert len(issuer.asked) == 4


class Clock:
    """Tells the time that a test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_unknown_key_ids_make_nobody_fetch_more_often_than_the_interval() -> None:
    """A thousand forged tokens, each with a key id of its own, cost the issuer one question."""
    asked: list[str] = []
    clock = Clock()

    def fetch(url: str) -> Any:
        asked.append(url)
        return KEYS

    keys = FetchedKeys(issuer=ISSUER, url="https://x/keys", interval=30, fetch=fetch, clock=clock)
    await asyncio.gather(*(keys.find(f"forged-{number}") for number in range(1_000)))
    assert await keys.find("first")
    assert len(asked) == 1
    clock.now += 29
    assert not await keys.find("forged")
    assert len(asked) == 1
    clock.now += 2
    assert not await keys.find("forged")
    assert len(asked) == 2


async def test_an_issuer_that_fails_takes_no_known_key_away(caplog: pytest.LogCaptureFixture) -> None:
    """Without any key, callers are told to come again; with old ones, those go on counting."""
    clock = Clock()
    fails = True

    def fetch(_: str) -> Any:
        if fails:
            raise OSError("nobody answers")
        return KEYS

    keys = FetchedKeys(issuer=ISSUER, url="https://x/keys", interval=10, lifetime=100, fetch=fetch, clock=clock)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.find("first")
    assert caplog.text.count("cannot be fetched") == 1
    clock.now += 11
    fails = False
    assert len(await keys.find("first")) == 1
    fails = True
    clock.now += 101
    assert len(await keys.find("first")) == 1
    assert len(await keys.find("first")) == 1
    assert not await keys.find("second")
    assert "Those that are known go on being used." in caplog.text


async def test_whoever_leaves_while_keys_are_fetched_takes_nobody_elses_answer_away() -> None:
    """The fetch belongs to all who wait for it."""
    loop = asyncio.get_running_loop()
    begun, go_on = asyncio.Event(), __import__("threading").Event()

    def fetch(_: str) -> Any:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        return KEYS

    keys = FetchedKeys(issuer=ISSUER, url="https://x/keys", fetch=fetch)
    leaving, staying = (asyncio.create_task(keys.find("first")) for _ in range(2))
    await begun.wait()
    leaving.cancel()
    await asyncio.wait({leaving})
    go_on.set()
    assert len(await staying) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RedirectResponse("http://127.0.0.1:1/keys"), "answered 307"),
        (Response(status_code=500), "answered 500"),
        (Response("<html>"), "is no JSON"),
        (Response(b'{"keys": "' + b"x" * 1_100_000 + b'"}'), "is larger than 1048576 bytes"),
        (JSONResponse({"keys": []}), "has no public key that could sign a token"),
        (JSONResponse([]), "has no public key that could sign a token"),
        (
            JSONResponse({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}),
            "is that of the issuer 'https://evil.example'. Give JwtBearer(issuer=...) exactly as it says there",
        ),
    ],
    ids=["redirect", "error", "no JSON", "too large", "no keys", "a list", "another issuer"],
)
async def test_what_an_issuer_should_not_answer_is_not_followed(
    answer: Response, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither to another address, nor into memory without end; the log says what is wrong with it."""
    issuer = Issuer()
    issuer.answer = answer
    async with issuer.driver as driver:
        for url in (None, f"{driver.base_url}/keys"):
            keys = FetchedKeys(issuer=f"{driver.base_url}/", url=url)
            with pytest.raises(Unavailable):
                await keys.find("first")
    assert len(issuer.asked) == 2
    assert said in caplog.text


async def test_an_issuer_that_is_not_there_is_named_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has to mend it sees the address and what the system says of it."""
    keys = FetchedKeys(issuer="http://127.0.0.1:1", url=None)
    with pytest.raises(Unavailable):
        await keys.find("first")
    assert "http://127.0.0.1:1/.well-known/openid-configuration does not answer" in caplog.text
    assert "refused" in caplog.text


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://login.example.com/keys", True),
        ("http://127.0.0.1:8080/keys", True),
        ("http://[::1]/keys", True),
        ("http://localhost/keys", True),
        ("http://login.example.com/keys", False),
        ("http://127.0.0.1.evil.example/keys", False),
        ("http://127.0.0.1@evil.example/keys", False),
        ("https://user@login.example.com/keys", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/keys", False),
        ("//127.0.0.1/keys", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_keys_come_over_tls_or_from_this_machine(url: str, is_safe: bool) -> None:
    assert is_safe_url(url) is is_safe


async def test_a_document_is_fetched_whole() -> None:
    issuer = Issuer()
    async with issuer.driver as driver:
        assert await asyncio.to_thread(fetch_document, f"{driver.base_url}/keys") == {"keys": issuer.keys}
