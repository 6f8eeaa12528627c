"""Every name that is taken from inside strawberry, graphql-core, uvicorn and websockets, checked at import.

These libraries promise nothing about such names. What is imported here must be there at once; what is reached on their
objects is looked for in their code. Where something is missing the process does not start, and says which versions do.
"""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType
from typing import Any, Final, NoReturn

import strawberry
from graphql import GraphQLSchema

SUPPORTED: Final = {
    "strawberry-graphql": ">=0.341,<0.400",
    "graphql-core": ">=3.3.2,<3.4",
    "uvicorn": ">=0.54,<0.60",
    "websockets": ">=15,<18",
}
"""The versions whose insides are known, as pyproject.toml has them."""


class Unsupported(RuntimeError):
    """A library is another inside than this release knows; the message names the versions that fit."""


def _refuse(package: str, what: str) -> NoReturn:
    try:
        present = version(package)
    except PackageNotFoundError:
        present = "of an unknown version"
    raise Unsupported(
        f"{package} {present} has no {what}: this release works with {package} {SUPPORTED[package]}; install one of"
        " those, for example by pip install -c constraints.txt."
    ) from None


try:
    from graphql.execution import Executor, create_source_event_stream
    from graphql.execution.collect_fields import (
        FieldDetails,
        FieldDetailsList,
        FragmentDetails,
        GroupedFieldSet,
        collect_fields,
        collect_subfields,
    )
    from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
    from graphql.execution.values import (
        VariableValues,
        VariableValueSource,
        coerce_argument,
        get_argument_values,
        get_variable_values,
    )
    from graphql.pyutils import Path, UndefinedType, inspect, is_iterable
    from graphql.utilities.coerce_input_value import coerce_default_value
except ImportError as error:
    _refuse("graphql-core", str(error))

try:
    from strawberry.annotation import StrawberryAnnotation
    from strawberry.exceptions import StrawberryInputCoercionError
    from strawberry.relay.types import GlobalID
    from strawberry.scalars import is_scalar
    from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
    from strawberry.types.arguments import convert_arguments
    from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
    from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
    from strawberry.types.field import StrawberryField
    from strawberry.types.lazy_type import LazyType
    from strawberry.types.unset import UNSET
except ImportError as error:
    _refuse("strawberry-graphql", str(error))

try:
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from uvicorn.supervisors.multiprocess import Multiprocess, Process
except ImportError as error:
    _refuse("uvicorn", str(error))

try:
    from websockets.frames import CloseCode, Frame
    from websockets.http11 import Request, Response
    from websockets.protocol import Protocol, State
    from websockets.server import ServerProtocol
except ImportError as error:
    _refuse("websockets", str(error))

BACKREF: Final = "strawberry-definition"
"""Where Strawberry keeps its own definition on a graphql-core field or type."""

PARSER_STOPPED: Final = "Parsing aborted"
"""How graphql-core's parser words that a document has too many tokens."""

PRINTS_VALUES: Final = ("graphql.type.scalars", "graphql.type.definition", "graphql.utilities.validate_input_value")
"""The modules of graphql-core that print values of clients, by `inspect`, a name each of them imports."""

_REACHED: Final[tuple[tuple[str, type, str], ...]] = (
    ("graphql-core", Executor, "build_resolve_info execute_operation fragments operation schema variable_values"),
    ("strawberry-graphql", strawberry.Schema, "_schema config schema_converter"),
    (
        "strawberry-graphql",
        StrawberryField,
        "arguments default_resolver is_basic_field is_subscription metadata python_name",
    ),
    (
        "uvicorn",
        HttpToolsProtocol,
        "app_state client connection_lost connection_made cycle data_received flow headers loop on_body on_header"
        " on_headers_complete on_message_begin on_response_complete on_url parser pause_writing pipeline"
        " resume_writing send_400_response shutdown transport",
    ),
    ("uvicorn", RequestResponseCycle, "response_complete"),
    ("uvicorn", FlowControl, "pause_reading"),
    (
        "uvicorn",
        WebSocketsSansIOProtocol,
        "app_state client close_sent config conn connection_lost connection_made data_received disconnected"
        " frames handle_connect handle_cont handle_parser_exception handle_ping handle_pong handshake_complete"
        " handshake_initiated keepalive_timeout loop pause_writing pending_ping_payload ping_timer pong_timer"
        " queue request response resume_writing scope send send_keepalive_ping shutdown transport writable",
    ),
    ("uvicorn", Multiprocess, "keep_subprocess_alive processes"),
    ("uvicorn", Process, "child_conn"),
    ("websockets", Protocol, "data_to_send send_close state"),
    ("websockets", ServerProtocol, "reject send_text"),
    ("websockets", Request, "headers"),
)
"""What is reached on their objects: methods, and attributes that their own code names."""


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return graphql-core's schema under Strawberry's."""
    return schema._schema


def scalar_registry(schema: strawberry.Schema) -> Any:
    """Return the scalars that Strawberry knows for Python's types."""
    return schema.schema_converter.scalar_registry


def names_of(class_: type) -> set[str]:
    """Return the names that a class has, and those that the code of its functions speaks of."""
    names = set(dir(class_))
    for one in class_.__mro__:
        names.update(getattr(one, "__annotations__", ()))
        for member in vars(one).values():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if isinstance(function, FunctionType):
                names.update(function.__code__.co_names)
    return names


def check(reached: Iterable[tuple[str, type, str]] = _REACHED) -> None:
    """Look for everything that is reached. Refuses: Unsupported for the first that is missing."""
    for package, class_, names in reached:
        missing = sorted(set(names.split()) - names_of(class_))
        if missing:
            _refuse(package, f"{class_.__qualname__}.{missing[0]}")


check()
