"""Announced files that arrive: found by their announcement, kept in the store, then evidence in one transaction."""

from __future__ import annotations

import logging
from typing import IO

from refundgql.commands.deciding import case_of
from refundgql.commands.evidence import AddFileEvidence, add_file_evidence
from refundgql.commands.evidence_changes import discard_redacted
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.commands.uploads import FileStore, no_files, storage_key
from refundgql.domain.calendar import to_micros
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.sentences import phrase
from refundgql.domain.viewers import Viewer
from refundgql.storage.evidence_uploads import (
    AnnouncedFile,
    abandon_uploads,
    claim_upload,
    find_upload,
    forget_upload,
)
from refundgql.storage.facts import load_case_facts
from refundgql.storage.visibility import sees_case

ABANDONED_AT_ONCE = 100
"""One look clears so many; the next one clears the rest."""

_log = logging.getLogger(__name__)


class UploadUsed(Exception):
    """This address was used or given up: ask for a new one with createEvidenceUpload."""


async def find_announced(uow: UnitOfWork, viewer: Viewer, upload_id: str) -> AnnouncedFile:
    """Return the file that somebody announced and that has not come yet.

    Refuses: NOT_FOUND when this account announced no such file, or no longer sees its case; UploadUsed.
    """
    announced = await find_upload(uow.database, upload_id)
    if announced is None or announced.account_id != viewer.account_id:
        raise Refused(not_found(phrase("upload")))
    facts = (await load_case_facts(uow.database, [announced.case_id])).get(announced.case_id)
    if facts is None or not sees_case(viewer, case_of(facts)):
        raise Refused(not_found(phrase("upload")))
    if announced.used_at is not None or announced.abandoned_at is not None:
        raise UploadUsed
    return announced


async def receive_file(uow: UnitOfWork, viewer: Viewer, announced: AnnouncedFile, file: IO[bytes]) -> CaseResult:
    """Keep a file whose size, hash and type were checked, and add it to its case (L16).

    The file is in the store before the database speaks of it; one that nothing speaks of is removed later. Of two
    copies that arrive at the same moment one is used: both have the announced content, so it does not matter which.

    Refuses: as adding evidence does; UploadUsed.
    """
    key = storage_key(announced.id)
    await _store_of(uow).put(key, file, announced.size_bytes)

    async def claim(unit: Unit) -> None:
        if not await claim_upload(unit.tx, announced.id, to_micros(unit.now())):
            raise UploadUsed

    given = AddFileEvidence(
        refund_case_id=announced.case_id,
        file_name=announced.file_name,
        content_type=announced.content_type,
        size_bytes=announced.size_bytes,
        sha256=announced.sha256,
        storage_key=key,
        audience=announced.audience,
        idempotency_key=f"evidence upload {announced.id}",
    )
    return await add_file_evidence(uow, viewer, given, claim)


async def clear_abandoned(uow: UnitOfWork) -> int:
    """Remove files that never became evidence and return how many announcements were given up.

    Safe in several processes at once and at any kill: a file goes only when nothing can use it any more, and its
    announcement is forgotten only when the file is gone.
    """
    if uow.files is None:
        return 0
    await uow.files.tidy()
    await discard_redacted(uow)
    now, days = to_micros(uow.clock.now()), uow.retention.upload_days
    abandoned = await abandon_uploads(uow.database, now, limit=ABANDONED_AT_ONCE, kept_days=days)
    for upload_id in abandoned:
        await uow.files.discard(storage_key(upload_id))
        await forget_upload(uow.database, upload_id)
    if abandoned:
        _log.info("%s announced files never came.", len(abandoned))
    return len(abandoned)


def _store_of(uow: UnitOfWork) -> FileStore:
    if uow.files is None:
        raise Refused(no_files())
    return uow.files
