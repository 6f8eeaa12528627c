"""The types clients see, one file a concept."""

from refundgql.api.types import enums as enums  # describes the vocabularies before any type uses one
