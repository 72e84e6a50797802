"""What a run of the audit looks at, a function a check; each says what it found, and whether somebody must act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from configs.errors import CheckFailed, InputError
from configs.forms import in_words, parse_time
from configs.schema import UseCase
from configs.settings import prediction_log
from tasks.audit.examine import examine, recorded
from tasks.audit.signing import audit_key, audit_key_path
from tasks.audit.witness import is_witnessed, witnessed_notes
from tasks.containers.since_release import known_since
from tasks.deploying.keys import list_keys
from tasks.history import read_history
from tasks.log.files import part_day, parts
from tasks.log.hold import standing, wrong_holds
from tasks.monitoring.alerts.outbox import waiting
from tasks.monitoring.findings import findings, unreadable_findings
from tasks.packaging.signing_keys import signing_key_path
from tasks.quarantine import WHAT as QUARANTINE
from tasks.quarantine import quarantined
from tasks.rollouts.known import bundle_of
from tasks.routing.halted import halted
from tasks.routing.released import released_version
from tasks.store import Value

State = Literal["holds", "wrong", "unknown"]
OLD_KEY = timedelta(days=365)  # NIST SP 800-57 part 1 (2020), table 1: one to two years for what authenticates
NIGHTS = timedelta(days=2)  # what every night does has missed one by then
NAMED = 5


class Checked(Value):
    """One check; `unknown` is what could not be looked at, or has nothing to look at yet."""

    name: str
    state: State
    told: str


Found = tuple[State, str]
Check = Callable[[UseCase, datetime], Found]


def check_all(use_case: UseCase, now: datetime) -> list[Checked]:
    """Every check in turn; what one of them cannot read is wrong, and keeps no other from looking."""
    found = []
    for name, check in CHECKS.items():
        try:
            state, told = check(use_case, now)
        except (InputError, CheckFailed) as error:
            state, told = "wrong", str(error)
        except Exception as error:  # a damaged file; whatever it is, it is told, and the other checks are done
            state, told = "wrong", f"cannot be looked at: {type(error).__name__}: {error}"
        found.append(Checked(name=name, state=state, told=told))
    return found


def record(use_case: UseCase, now: datetime) -> Found:
    """The record, its signatures, the journals and the files of the log (`slipway audit verify`), and that it is signed."""
    if use_case.name not in recorded():
        return "unknown", "nothing is signed yet; maintenance makes the first checkpoint"
    found = examine(use_case.name)
    if found.findings:
        return "wrong", _some([f"{each.what}: {each.why}" for each in found.findings])
    late = use_case.log.schedule is not None and now - parse_time(found.last) > NIGHTS
    told = f"{found.entries:,} entries, {found.checkpoints:,} checkpoints, {found.files:,} files; last signed {found.last}"
    return ("wrong", f"{told}, and it should be each night") if late else ("holds", told)


def witness(use_case: UseCase, now: datetime) -> Found:
    """Whether the witness is reached."""
    if not is_witnessed():
        return "unknown", "none is set, so whoever holds this home could write the record anew (SLIPWAY_AUDIT_WITNESS)"
    if use_case.name not in recorded():
        return "unknown", "nothing is signed yet"
    return "holds", f"it has {len(witnessed_notes(audit_key(use_case.name))):,} checkpoints"


def keys(use_case: UseCase, now: datetime) -> Found:
    """API keys in use by when they were made, and the two keys that sign, by the date of their file."""
    ages = {f"API key {key.name}": now - parse_time(key.created) for key in list_keys(use_case.name) if not key.revoked}
    files: dict[str, Path] = {"the signing key": signing_key_path(), "the audit key": audit_key_path()}
    ages |= {name: now - datetime.fromtimestamp(path.stat().st_mtime, UTC) for name, path in files.items() if path.exists()}
    old = [f"{name} is {age.days} days old" for name, age in ages.items() if age > OLD_KEY]
    if old:
        return "wrong", f"{_some(old)}; older than {OLD_KEY.days} days"
    oldest = max(ages.values(), default=timedelta(0))
    return "holds", f"{len(ages)} keys, none older than {oldest.days} days"


def vulnerabilities(use_case: UseCase, now: datetime) -> Found:
    """What became known against the packages of the version that serves since it was released."""
    version = released_version(use_case.name)
    if not version:
        return "unknown", "nothing serves"
    found = known_since(use_case.name, bundle_of(use_case.name, version))
    if found.new:
        return "wrong", f"since version {version} was released: {_some(found.new)}"
    if found.unknown:
        return "unknown", found.unknown
    return "holds", f"{found.packages} packages, nothing new; {len(found.all)} were known when it was released"


def open_alarms(use_case: UseCase, now: datetime) -> Found:
    """The alarms that the last look of monitoring left open, and what people could not be told."""
    looks = findings(use_case.name)
    alarms = looks[-1].alarms if looks else {}
    found = [f"{cause} ({alarm.severity}) since window {alarm.since}: {alarm.reason}" for cause, alarm in alarms.items()]
    found += [f"{path.name} cannot be read" for path in unreadable_findings(use_case.name)]
    found += [f"{count} not told: {channel} ({why})" for channel, (count, why) in waiting(use_case.name).items() if why]
    if found:
        return "wrong", _some(found)
    return "holds", f"none after {looks[-1].title}" if looks else "no window was looked at yet"


def halts(use_case: UseCase, now: datetime) -> Found:
    """A halt that nobody has lifted."""
    stands = halted(use_case.name)
    if stands is None:
        return "holds", "not halted"
    return "wrong", f"halted since {stands.time} by {stands.by}: {stands.reason}; nobody has lifted it"


def quarantines(use_case: UseCase, now: datetime) -> Found:
    """Versions in quarantine that nobody has lifted, and that nothing later has taken the place of."""
    versions = dict.fromkeys(str(entry["version"]) for entry in read_history(use_case.name, QUARANTINE))
    stand = {version: why for version in versions if (why := quarantined(use_case.name, version))}
    serves = released_version(use_case.name)
    open_ = [f"version {version} {why}" for version, why in stand.items() if int(version) >= int(serves or 0)]
    if open_:
        return "wrong", f"{_some(open_)}; lift it, or release a later version"
    return "holds", f"{len(stand)} versions, each older than what serves" if stand else "none"


def holds(use_case: UseCase, now: datetime) -> Found:
    """The legal holds: those of the file are those of the history."""
    if wrong := wrong_holds(use_case.name):
        return "wrong", _some([f"{what}: {why}" for what, why in wrong])
    found = standing(use_case.name)
    oldest = min((parse_time(hold.since) for hold in found), default=now)
    return "holds", f"{len(found)} stand, the oldest for {in_words(now - oldest)}" if found else "none stands"


def retention(use_case: UseCase, now: datetime) -> Found:
    """Days of the log that should have been dropped."""
    keep = use_case.log.keep
    if keep is None:
        return "unknown", "'log.keep' is not set, so the log is kept for ever"
    last = (now - keep - NIGHTS).date()
    overdue = sorted({part_day(part).isoformat() for part in parts(prediction_log(use_case.name)) if part_day(part) < last})
    if not overdue:
        return "holds", f"nothing is older than {in_words(keep)}"
    if standing(use_case.name):
        return "holds", f"{len(overdue)} days that are older than {in_words(keep)} have records under legal hold"
    return "wrong", f"{len(overdue)} days are older than {in_words(keep)}, from {overdue[0]} on; maintenance drops them"


def _some(found: list[str] | tuple[str, ...]) -> str:
    more = f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return "; ".join(found[:NAMED]) + more


CHECKS: dict[str, Check] = {
    "record": record,
    "witness": witness,
    "keys": keys,
    "vulnerabilities": vulnerabilities,
    "alarms": open_alarms,
    "halt": halts,
    "quarantine": quarantines,
    "legal holds": holds,
    "retention": retention,
}
