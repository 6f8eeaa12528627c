"""Who is acting or looking."""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.domain.vocabulary import Role

STAFF = frozenset({Role.SUPPORT, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Viewer:
    """One signed-in account with the roles that the database holds for it now."""

    account_id: str
    external_ref: str
    name: str
    roles: frozenset[Role]

    @property
    def is_staff(self) -> bool:
        """Tell whether the viewer is SUPPORT or ADMIN."""
        return not STAFF.isdisjoint(self.roles)

    @property
    def is_admin(self) -> bool:
        """Tell whether the viewer is ADMIN."""
        return Role.ADMIN in self.roles

    @property
    def is_service(self) -> bool:
        """Tell whether the viewer is the marketplace that feeds records in."""
        return Role.SERVICE in self.roles
