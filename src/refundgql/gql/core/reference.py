"""Runs operations with graphql-core's own executor: first uses, introspection, whatever is not compiled."""

import asyncio
import inspect
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, default_field_resolver, default_type_resolver

from refundgql.gql.core.adapter import BATCHES, LevelBatches
from refundgql.gql.documents import Prepared
from refundgql.gql.feeds import Feed
from refundgql.gql.ports import Executor, FragmentDetails, VariableValues, collect_fields, create_source_event_stream

Executed = tuple[dict[str, Any] | None, list[GraphQLError]]


def executor_for(
    schema: GraphQLSchema,
    prepared: Prepared,
    variables: VariableValues,
    context: Any,
    root: Any,
) -> Executor[Any]:
    """Build graphql-core's executor for variables that are coerced already."""
    return Executor(
        schema,
        prepared.fragments,
        {name: FragmentDetails(node) for name, node in prepared.fragments.items()},
        root,
        context,
        prepared.operation,
        variables,
        default_field_resolver,
        default_type_resolver,
        default_field_resolver,
        hide_suggestions=True,
    )


async def run(executor: Executor[Any]) -> Executed:
    """Execute an operation, or a subscription for one event; give its data and errors."""
    batches = LevelBatches()
    token = BATCHES.set(batches)
    try:
        result = executor.execute_operation()
        if inspect.isawaitable(result):
            result = await result
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if batches.ended_by is None or task is None:
            raise
        task.uncancel()
        raise batches.ended_by from None
    finally:
        BATCHES.reset(token)
        batches.cancel()
    if not isinstance(result, ExecutionResult):
        raise TypeError("incremental delivery is not supported")
    return result.data, result.errors or []


async def open_feed(executor: Executor[Any]) -> Feed | list[GraphQLError]:
    """Call a subscription's root resolver; give its feed, or why there is none."""
    root_type = executor.schema.subscription_type
    if root_type is None or not _root_fields(executor):
        return [GraphQLError("The subscription asks for nothing.")]
    feed: Any = create_source_event_stream(executor)
    if inspect.isawaitable(feed):
        feed = await feed
    if isinstance(feed, ExecutionResult):
        return feed.errors or []
    if not isinstance(feed, Feed):
        raise TypeError(f"a subscription's root resolver returns a Feed, not {type(feed).__name__}")
    return feed


def _root_fields(executor: Executor[Any]) -> Any:
    root_type = executor.schema.subscription_type
    if root_type is None:
        return None
    return collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root_type, executor.operation
    ).grouped_field_set
