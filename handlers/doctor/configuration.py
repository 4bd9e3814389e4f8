"""Is the environment understood, and are the definitions sound?"""

from __future__ import annotations

from collections.abc import Iterator

from handlers import settings
from handlers.definitions import DefinitionErrors, load
from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from handlers.settings import SettingsInvalid


def look_at_settings(installation: Installation) -> Iterator[Diagnosis]:
    """Values that do not parse, and names that begin like ours and are none."""
    try:
        settings.read(installation.environ)
    except SettingsInvalid as error:
        for name, message in error.wrong:
            yield Diagnosis(
                check="settings",
                subject=name,
                outcome="fail",
                detail=message,
                next_step=f"Correct {name}, or unset it.",
            )
        return
    shown = settings.shown(installation.environ)
    unknown = [item.name for item in shown if not item.known]
    for name in unknown:
        yield Diagnosis(
            check="settings",
            subject=name,
            outcome="warn",
            detail="unknown to this version: it does nothing",
            next_step="Unset it; `tipoff settings` lists the names that are read.",
        )
    if not unknown:
        here = sum(item.source == "environment" for item in shown)
        numbers = {"known": float(len(shown)), "set": float(here)}
        detail = f"all {here} that are set parse; {len(shown) - here} have their defaults"
        yield Diagnosis(check="settings", outcome="ok", detail=detail, numbers=numbers)


def look_at_definitions(installation: Installation) -> Iterator[Diagnosis]:
    """Definitions that cannot be used, and two of one sport."""
    known: dict[str, str] = {}
    for source in installation.sources:
        try:
            definition = load(source, installation.environ)
        except DefinitionErrors as error:
            yield Diagnosis(
                check="definitions",
                subject=source,
                outcome="fail",
                detail=f"{len(error.errors)} wrong, first: {error.errors[0]}",
                numbers={"errors": float(len(error.errors))},
                next_step=f"`tipoff definition check {source}` says all of it.",
            )
            continue
        if definition.sport in known:
            yield Diagnosis(
                check="definitions",
                subject=source,
                outcome="fail",
                detail=f"a second definition of {definition.sport}, beside {known[definition.sport]}",
                next_step="Name one definition for each sport in TIPOFF_DEFINITIONS.",
            )
            continue
        known[definition.sport] = source
        overrides = ", ".join(f"{name}={value}" for name, value in definition.overrides.items())
        detail = f"{definition.version} is sound" + (f", under {overrides}" if overrides else "")
        numbers = {"gates": float(len(definition.gates)), "overrides": float(len(definition.overrides))}
        yield Diagnosis(check="definitions", subject=definition.sport, outcome="ok", detail=detail, numbers=numbers)
