"""What happens when a deadline runs out, in the words that people read on its clock."""

from __future__ import annotations

from refundgql.domain.sentences import sentence

TARGET = sentence(
    "TARGET_RUNS_OUT", "The case is flagged as overdue and comes first in the queue; nothing is decided by that."
)
INFORMATION = sentence("INFORMATION_RUNS_OUT", "Support goes on with what it has; its target runs again.")
ANSWER_TIME = sentence("ANSWER_TIME_RUNS_OUT", "The request moves to support by itself, with its history.")
REVIEW_TIME = sentence("REVIEW_TIME_RUNS_OUT", "No review of this contract can be posted any more.")
WITHDRAWAL_ESTIMATE = sentence(
    "WITHDRAWAL_ESTIMATE_RUNS_OUT", "The money should have arrived; ask support if it has not."
)
SECOND_LOOK = sentence("SECOND_LOOK_RUNS_OUT", "The answer is final.")
DIRECT_WINDOW = sentence(
    "DIRECT_WINDOW_RUNS_OUT", "The expert can no longer decide; the request moves to support by itself."
)
DISPUTE_RESOLUTION = sentence("DISPUTE_RESOLUTION_RUNS_OUT", "The invoice can no longer be disputed.")
ESCALATION = sentence("ESCALATION_RUNS_OUT", "What was not refunded can no longer be escalated.")
ASKING_AGAIN = sentence("ASKING_AGAIN_RUNS_OUT", "The payment can no longer be asked about again.")
SUPPORT_WINDOW = sentence(
    "SUPPORT_WINDOW_RUNS_OUT", "No new request about this payment can be made; support still decides this one."
)
TIMESHEET_DISPUTE = sentence(
    "TIMESHEET_DISPUTE_RUNS_OUT", "The week's hours can no longer be disputed; a request that is open goes on."
)
FUNDS_WAIT = sentence("FUNDS_WAIT_RUNS_OUT", "The client may escalate the case to support.")
