from flask import Flask

from cds_service.access import ACCESS
from cds_service.app import BLUEPRINTS
from cds_service.web.openapi import OPERATIONS, describe


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {str(node["$ref"])} if "$ref" in node else set()
        return own.union(*(references(inner) for inner in node.values()))
    return set().union(*(references(inner) for inner in node)) if isinstance(node, list) else set()


def test_every_operation_is_described_with_its_refusals() -> None:
    document = describe(OPERATIONS)

    for operation in OPERATIONS:
        described = document["paths"][operation.path][operation.method]
        assert {int(status) for status in described["responses"]} == {
            200,
            *operation.refusals,
            *((202,) if operation.silent else ()),
        }
        assert operation.path.count("{") == sum(
            parameter["in"] == "path" for parameter in described.get("parameters", [])
        )


def test_every_schema_referred_to_is_in_the_document() -> None:
    document = describe(OPERATIONS)

    assert references(document["paths"]) <= {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    } | references(document["components"])
    assert document["openapi"] == "3.1.0"


def test_every_address_that_asks_who_calls_says_so() -> None:
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    rules = {rule.rule.replace("<", "{").replace(">", "}"): ACCESS[rule.endpoint] for rule in app.url_map.iter_rules()}

    for operation in OPERATIONS:
        said = {401, 403, 429} & set(operation.refusals)
        assert said == (set() if rules[operation.path].is_open else {401, 403, 429}), operation.path
