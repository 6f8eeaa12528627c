"""Making the first accounts, for the command line: somebody has to be able to sign in before records can be sent.

It must not be reachable by the API: there accounts are the marketplace's.
"""

from __future__ import annotations

from refundgql.commands.checks import Checks
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.topics import ACCOUNTS
from refundgql.domain.vocabulary import Role
from refundgql.storage.accounts import find_viewer_by_ref, insert_account, roles_text, set_roles
from refundgql.storage.audit import AuditAction, record
from refundgql.storage.ids import new_id

REFERENCE_CHARS = 200


async def give_role(uow: UnitOfWork, external_ref: str, role: Role, name: str | None) -> bool:
    """Give an account a role, making the account when there is none; tell whether anything changed.

    Refuses: INVALID_INPUT for a reference or a name that cannot be one.
    """

    async def work(unit: Unit) -> bool:
        checks = Checks()
        checks.text(external_ref, "externalRef", REFERENCE_CHARS)
        shown = checks.text(name, "name", REFERENCE_CHARS) or external_ref
        checks.raise_if_any()
        known, now = await find_viewer_by_ref(unit.tx, external_ref), to_micros(unit.now())
        before = frozenset() if known is None else known.roles
        if role in before:
            return False
        account_id = new_id() if known is None else known.account_id
        if known is None:
            await insert_account(unit.tx, account_id, external_ref, shown, frozenset({role}), now)
        else:
            await set_roles(unit.tx, account_id, before | {role})
        detail = {"before": roles_text(before), "after": roles_text(before | {role}), "by": "command line"}
        record(unit.tx, AuditAction.ROLES_CHANGED, account_id, None, now, detail)
        unit.ring_people([account_id])
        unit.topics.add(ACCOUNTS)
        return True

    return await uow.run(work, name="give_role")
