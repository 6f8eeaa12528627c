"""Node: anything that can be fetched again by its id."""

import strawberry

from refundgql.gql.declare import leaf


@strawberry.interface(description="Something with an id of its own, which `node` finds again for whoever may see it.")
class Node:
    id: strawberry.ID = leaf(
        lambda row: f"{row.TYPENAME}_{row.id}",
        description="The opaque global id; it never changes.",
    )
