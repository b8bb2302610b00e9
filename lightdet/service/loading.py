"""From settings to models that judge: each with its rule and what that promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lightdet.decisions import DecisionRule
from lightdet.decisions.promise import OWN_RULE, Promise
from lightdet.errors import UserError
from lightdet.inference.watching import stored_reference
from lightdet.runs.load import load
from lightdet.service.engine import Engine, Watcher
from lightdet.service.line_up import LineUp, Served
from lightdet.service.model_copy import identify
from lightdet.service.model_settings import ModelSettings
from lightdet.service.settings import LOWEST_SCORE, Settings
from lightdet.tasks import task_of_model

Loader = Callable[[ModelSettings], Any]
"""Gives the predictor of a model; `load_model` is the one for model files."""


def load_model(settings: ModelSettings) -> Any:
    """Return the predictor of the model file.

    Raises:
        UserError: it cannot be loaded.
    """
    return load(settings.served, **settings.load_options())


def load_with_rule(settings: ModelSettings, loader: Loader) -> tuple[Any, Any, Promise]:
    """Return the predictor, reporting scores as low as the rule needs them, the rule, and what it promises.

    Raises:
        UserError: the model cannot be loaded, the rule is for other classes, or looks at scores that are not reported.
    """
    lowest = settings.rule_over(DecisionRule()).lowest_threshold
    predictor = _load_reporting(settings, min(LOWEST_SCORE, lowest), loader)
    stored = predictor.rule
    rule = settings.rule_over(predictor.usual_rule() if stored is None else stored)
    predictor.check_rule(rule)
    rule.check_names(predictor.names)
    if rule.lowest_threshold < predictor.confidence:
        predictor = _load_reporting(settings, rule.lowest_threshold, loader)
    if rule.lowest_threshold < predictor.confidence:
        raise UserError(
            f"scores below {predictor.confidence:g} are not reported, but the lowest threshold of the decision is "
            f"{rule.lowest_threshold:g}; raise it, or lower --confidence or that of the export"
        )
    by_hand = stored is not None and rule.as_dict() != stored.as_dict()
    return predictor, rule, Promise(why_not=OWN_RULE) if by_hand else predictor.promise


def _load_reporting(settings: ModelSettings, lowest: float, loader: Loader) -> Any:
    if settings.confidence is not None:
        return loader(settings)
    try:
        predictor = loader(replace(settings, confidence=lowest))
        _ = predictor.rule  # refused where it was calibrated without boxes of so low a score
    except UserError:  # a network with NMS in it has a lowest score of its own; any other error is raised again
        return loader(settings)
    return predictor


def load_line_up(settings: Settings, loader: Loader, watcher: Watcher) -> LineUp:
    """Load all models of a service, and let each network see one picture; `watcher` is told about their work.

    Raises:
        UserError: a model cannot be used, its rule does not fit, or two of them have one promise.
    """
    threads = settings.compute_threads()
    models = [replace(each, threads=each.threads or threads) for each in settings.models]
    served = [_load(each, settings, loader, watcher) for each in models]
    watched: dict[str, str] = {}
    for each in served:
        if each.engine.reference is None:
            continue
        other = watched.setdefault(each.identity.sha256, each.identity.name)
        if other != each.identity.name:
            raise UserError(
                f"'{other}' and '{each.identity.name}' are the same file with the same promise, which is watched with "
                "the pictures of one; leave one of them out, or give it a rule of its own",
                path=each.settings.model,
            )
    return LineUp(served)


def _load(model: ModelSettings, settings: Settings, loader: Loader, watcher: Watcher) -> Served:
    predictor, rule, promise = load_with_rule(model, loader)
    keep = settings.pictures
    engine = Engine(
        predictor,
        identify(model.model, model.served, model.called),
        rule,
        promise,
        settings.limits,
        task_of_model(model.served).results.marked,
        thumbnails=settings.thumbnails,
        watcher=watcher,
        band=keep.band if keep.choice.uncertain else 0.0,
    )
    engine.reference = stored_reference(predictor.card_decision.record, promise, model.model)
    engine.warm_up()
    return Served(model, engine, type(predictor.runtime).__name__.removesuffix("Runtime").lower())
