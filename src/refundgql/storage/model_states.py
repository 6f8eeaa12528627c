"""Tortoise's state of the models between migrations, with classes made when a step asks for one.

Tortoise makes the classes of all models anew before and after every step, most of the time of a first start; nearly no
step looks at them, and one that does looks at its own: models name each other by ids and have no relations.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortoise.connection import ConnectionHandler
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

ModelStates = dict[tuple[str, str], ModelState]


class _Apps(StateApps):
    """The classes of one state's models; connections without a configuration spare the queries they would prepare."""

    def __init__(self, app: str, models: ModelStates) -> None:
        super().__init__({app: "default"}, ConnectionHandler())
        self._models = models

    def forget(self) -> None:
        """Make classes anew when they are asked for."""
        self.apps.clear()

    def get_model(self, app_label: str, model_name: str | None = None) -> type[Model]:
        """Return a model's class as the state has it."""
        if model_name is None:
            app_label, model_name = self.split_reference(app_label)
        if model_name not in self.apps.get(app_label, {}):
            self.register_model(app_label, self._models[app_label, model_name].render(self))
            self._init_relations()
        return super().get_model(app_label, model_name)


class MigrationState(State):
    """The models as migrations have made them so far."""

    apps: _Apps

    def __init__(self, app: str, models: ModelStates) -> None:
        """Begin with some models."""
        super().__init__(models, _Apps(app, models))
        self._app = app

    def reload_model(self, app_label: str, model_name: str) -> None:
        """Let a changed model's class be made anew."""
        self.apps.forget()

    def reload_models(self, model_tuples: Iterable[tuple[str, str]]) -> None:
        """Let changed models' classes be made anew."""
        self.apps.forget()

    def clone(self) -> MigrationState:
        """Return the same state, to go on from by itself."""
        return MigrationState(self._app, {key: model.clone() for key, model in self.models.items()})
