"""The `fhir.resources` models of the resources this service reads, compiled to one typed decoder.

What the decoder takes, the library and the bindings accept; what it does not take, they decide and explain. It leaves
to them what is rare: null members, contained resources, extensions of primitives, resource types not read here.
Made from the models on first use; docs/decisions/performance.md holds what it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, reduce
from operator import attrgetter, or_
from types import GenericAlias, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cds_service.fhir.bindings import COMPARATORS, CONDITION_CODES, GENDERS, STATUS

_RESOURCES = ("Patient", "Encounter", "Condition", "Observation")
# Extensions inside extensions of a resource; what lies deeper is left to the library.
_EXTENSIONS = 2
_EXTENSION_VALUES = frozenset({"CodeableConcept", "Coding", "Identifier", "Period", "Quantity", "Reference", "Address"})
# Members that lead back to their own type, or to any resource there is.
_LEFT_OUT = frozenset({"assigner", "contained", "outcome", "fhir_comments"})

# Primitive types that msgspec decides itself, never taking more than the library's patterns allow: white space to
# Python is all that is to the library, and more. Every other primitive type goes through the library's own validator.
_PRIMITIVES: Mapping[str, Any] = {
    "boolean": bool,
    "string": Annotated[str, Meta(pattern=r"[ \r\n\t\S]")],
    "code": Annotated[str, Meta(pattern=r"\A\S+(?:\s\S+)*\Z")],
    "id": Annotated[str, Meta(pattern=r"\A[A-Za-z0-9\-.]{1,64}\Z")],
    "uri": str,
    "canonical": str,
    "markdown": str,
    "xhtml": str,
    "decimal": float,
    "integer": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "unsignedInt": Annotated[int, Meta(ge=0, le=2**31 - 1)],
    "positiveInt": Annotated[int, Meta(ge=1, le=2**31 - 1)],
}
# Required bindings, by model and member; a Coding bound to codes must have one.
_Codes = tuple[str, ...] | None
_BOUND: Mapping[tuple[str, str], _Codes] = {
    ("Patient", "gender"): tuple(sorted(GENDERS)),
    ("Quantity", "comparator"): tuple(sorted(COMPARATORS)),
    **{(name, "status"): tuple(sorted(codes)) for name, codes in STATUS.items()},
    **{("Condition", name): tuple(sorted(codes)) for name, codes in CONDITION_CODES.items()},
}
_CODED = frozenset({"CodeableConcept", "Coding"})
_REMEMBERED = 2048
_LONGEST_REMEMBERED = 40


class _Text:
    """A primitive type whose texts the library checks; the last ones it accepted are remembered."""

    check: ClassVar[Callable[[str], object]]


def is_known_valid(document: bytes) -> bool:
    """Whether the document certainly is a valid resource or Bundle; False when the library must be asked."""
    try:
        _decoder().decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    models = _Models()
    return msgspec.json.Decoder(models.any_resource | models.struct("Bundle", _EXTENSIONS), dec_hook=_checked)


def _checked(kind: type[_Text], value: object) -> _Text:
    if not isinstance(value, str) or len(value) > _LONGEST_REMEMBERED:
        raise ValueError
    kind.check(value)
    return kind()


class _Models:
    """Makes a Struct of each model: one for each depth of extensions, and for each set of codes it is bound to."""

    def __init__(self) -> None:
        from fhir.resources.R4B import get_fhir_model_class  # loaded on first use: it costs memory and start-up time
        from fhir_core.constraints import FHIR_PRIMITIVES_MAPS

        self._model_of = get_fhir_model_class
        self._primitive_names = FHIR_PRIMITIVES_MAPS
        self._structs: dict[tuple[str, int, _Codes], Any] = {}
        self.any_resource: Any = reduce(or_, [self.struct(name, _EXTENSIONS) for name in _RESOURCES])

    def struct(self, name: str, extensions: int, codes: _Codes = None) -> Any:
        """The Struct of one model, with extensions nested so deep; `codes` are all a Coding in it may have."""
        made = self._structs.get((name, extensions, codes))
        if made is None:
            made = self._structs[name, extensions, codes] = self._make(name, extensions, codes)
        return made

    def _make(self, name: str, extensions: int, codes: _Codes) -> Any:
        model = self._model_of(name)
        members = {
            key: (field, kind)
            for key, field in model.model_fields.items()
            if (kind := self._member(name, key, field, extensions, codes)) is not None
        }
        is_resource = model.has_resource_base()
        return msgspec.defstruct(
            name,
            [_struct_field(key, kind, field, codes) for key, (field, kind) in members.items()],
            rename={key: field.alias for key, (field, _) in members.items()},
            namespace=_choices({key: field.json_schema_extra for key, (field, _) in members.items()}),
            tag=name if is_resource else None,
            tag_field="resourceType" if is_resource else None,
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )

    def _member(self, name: str, key: str, field: Any, extensions: int, codes: _Codes) -> Any:
        """The type of one member, None where it is left to the library."""
        if key in _LEFT_OUT or key.endswith("__ext") or field.metadata:
            return None
        annotation, is_list = _bare(field.annotation)
        bound = codes if name in _CODED else _BOUND.get((name, key))
        kind = self._kind(name, annotation, extensions, bound)
        return GenericAlias(list, kind) if is_list and kind is not None else kind

    def _kind(self, name: str, annotation: Any, extensions: int, codes: _Codes) -> Any:
        primitive = self._primitive_names.get(annotation)
        if primitive is not None:
            is_bound = codes is not None and primitive == "code"
            return Literal[codes] if is_bound else _PRIMITIVES.get(primitive) or _text_type(primitive, annotation)
        element = annotation.__name__.removesuffix("Type")
        if element == "Resource":
            return self.any_resource
        if element == "Extension":
            return self.struct(element, extensions - 1) if extensions else None
        if name == "Extension":
            return self.struct(element, 0) if element in _EXTENSION_VALUES else None
        return self.struct(element, extensions, codes)


def _struct_field(key: str, kind: Any, field: Any, codes: _Codes) -> tuple[Any, ...]:
    is_required = field.is_required() or field.json_schema_extra.get("element_required")
    if is_required or (codes is not None and key == "code"):
        return key, kind
    return key, kind | UnsetType, UNSET


def _bare(annotation: Any) -> tuple[Any, bool]:
    """The type inside an optional or a list, and whether it was in a list."""
    is_list = False
    while get_origin(annotation) in (Union, UnionType, list):
        is_list = is_list or get_origin(annotation) is list
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation, is_list


@cache
def _text_type(name: str, annotation: Any) -> type[_Text]:
    from pydantic import TypeAdapter

    check = lru_cache(_REMEMBERED)(TypeAdapter(annotation).validate_python)
    return type(name, (_Text,), {"check": staticmethod(check)})


def _choices(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The check that of each choice of types (`value[x]`) at most one is given, and one where one must be."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for key, extra in extras.items():
        if "one_of_many" in extra:
            groups.setdefault((extra["one_of_many"], extra["one_of_many_required"]), []).append(key)
    checks = [(attrgetter("__class__", *keys), len(keys), least) for (_, least), keys in groups.items()]

    def check(struct: Any) -> None:
        for given, most, least in checks:
            if not least <= most - given(struct).count(UNSET) <= 1:
                raise ValueError

    return {"__post_init__": check} if checks else {}
