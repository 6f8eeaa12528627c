"""Add a file to a case as evidence: `python send_file.py http://localhost:8000 RC-000001 photo.png`, token in TOKEN."""

import asyncio
import hashlib
import mimetypes
import os
import sys
from pathlib import Path

import httpx
from desk import Desk, keep_trying, one_after_another
from refund_client import CreateEvidenceUploadInput


async def main(url: str, number: str, name: str) -> None:
    """Announce the file, then put its bytes where the desk says."""
    content = await asyncio.to_thread(Path(name).read_bytes)
    async with Desk(url, one_after_another(os.environ["TOKEN"])) as desk, httpx.AsyncClient(timeout=300) as http:
        found = (await keep_trying(lambda: desk.case_by_number(number))).refund_case_by_number
        if found is None:
            sys.exit(f"There is no case {number} that you can see.")
        announced = CreateEvidenceUploadInput(
            refund_case_id=found.id,
            file_name=Path(name).name,
            content_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            size_bytes=len(content),
            sha_256=hashlib.sha256(content).hexdigest(),
        )
        answer = (await keep_trying(lambda: desk.send_file(announced))).create_evidence_upload
        if answer.upload_url is None:
            sys.exit("; ".join(refusal.message for refusal in answer.refusals))
        taken = await http.put(answer.upload_url, content=content)
        print(f"{taken.status_code}: {taken.text}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
