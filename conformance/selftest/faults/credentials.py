"""Faults in how credentials are judged."""

from collections.abc import Callable

from conformance.selftest.catalogue import around, fault, refusals
from conformance.selftest.miniature import TOKENS, Answer, Api, Refused, Request

Inner = Callable[..., str]
PREFIX = "talq_"


def takes(api: Api, when: Callable[[Request], bool]) -> None:
    """Take a request that is refused for its credentials as the first environment's."""

    def authenticate(inner: Inner, request: Request) -> str:
        try:
            return inner(request)
        except Refused:
            if when(request):
                return "first"
            raise

    around(api, "authenticate", authenticate)


@fault("auth.required")
def list_for_everybody(api: Api) -> None:
    """The DIDs of a trunk are listed without a token."""
    takes(api, lambda request: request.operation == "list-dids" and "authorization" not in request.headers)


@fault("auth.unknown-token")
def any_token_reads(api: Api) -> None:
    """Any token of the right form may read."""
    takes(api, lambda request: request.operation == "read" and request.token.startswith(PREFIX))


@fault("auth.unknown-token", also=["answer.as-sent", "update.refused-changes-nothing"])
def late_credentials(api: Api) -> None:
    """An update with an unknown token is refused, but done."""

    def served(request: Request, answer: Answer) -> None:
        if answer.status == 401 and request.operation == "update" and request.trunk_id in api.trunks:
            api.trunks[request.trunk_id].update(api.parse(request.body))

    refusals(api, served)


@fault("auth.whole-token")
def token_in_any_letter_case(api: Api) -> None:
    """The letter case of a token does not matter."""
    folded = {token.casefold(): environment for token, environment in TOKENS.items()}
    around(api, "environment_of", lambda _inner, token: folded.get(token.casefold()))


@fault("auth.whole-token")
def start_of_a_token(api: Api) -> None:
    """A token that starts like a known one is taken for it."""
    around(
        api,
        "environment_of",
        lambda _inner, token: next((TOKENS[one] for one in TOKENS if token.startswith(one)), None),
    )


@fault("auth.blank")
def scheme_alone(api: Api) -> None:
    """The word Bearer alone is enough."""
    takes(api, lambda request: request.headers.get("authorization", "").strip() == "Bearer")


@fault("auth.other-scheme")
def any_scheme(api: Api) -> None:
    """The scheme does not matter."""
    takes(api, lambda request: request.token in TOKENS)


@fault("auth.other-scheme")
def bare_token(api: Api) -> None:
    """A token without a scheme is taken."""
    takes(api, lambda request: request.headers.get("authorization", "") in TOKENS)


@fault("auth.prefix")
def token_without_prefix(api: Api) -> None:
    """A token is taken without its talq_."""
    around(api, "environment_of", lambda inner, token: inner(token) or inner(PREFIX + token))


@fault("auth.scheme-letter-case")
def scheme_in_one_letter_case(api: Api) -> None:
    """Only Bearer with a capital letter is taken."""

    def authenticate(inner: Inner, request: Request) -> str:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            raise Refused(401, "UNAUTHENTICATED", "A valid token is needed.")
        return inner(request)

    around(api, "authenticate", authenticate)


@fault("auth.challenge")
def no_challenge(api: Api) -> None:
    """A 401 has no WWW-Authenticate."""
    refusals(api, lambda _request, answer: answer.headers.pop("WWW-Authenticate", None))


@fault("plan.required")
def plan_may_list(api: Api) -> None:
    """An environment without the feature may list its trunks."""

    def authenticate(inner: Inner, request: Request) -> str:
        environment = inner(request)
        return f"{environment} lists" if request.operation == "list" and environment == "planless" else environment

    around(api, "authenticate", authenticate)


@fault("plan.status")
def plan_is_a_404(api: Api) -> None:
    """An environment without the feature is answered 404."""
    refusals(api, lambda request, answer: setattr(answer, "status", 404) if request.environment == "planless" else None)


@fault("auth.challenge")
def basic_challenge(api: Api) -> None:
    """A 401 asks for Basic credentials."""
    refusals(
        api,
        lambda _request, answer: (
            answer.headers.update({"WWW-Authenticate": 'Basic realm="x"'}) if answer.status == 401 else None
        ),
    )
