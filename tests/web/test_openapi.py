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
        assert {int(status) for status in described["responses"]} == {200, *operation.refusals}
        assert operation.path.count("{") == sum(
            parameter["in"] == "path" for parameter in described.get("parameters", [])
        )


def test_every_schema_referred_to_is_in_the_document() -> None:
    document = describe(OPERATIONS)

    assert references(document["paths"]) <= {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    } | references(document["components"])
    assert document["openapi"] == "3.1.0"
