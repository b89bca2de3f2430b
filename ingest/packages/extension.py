"""What a package of ours says beyond Microsoft's elements: columns with their types, and keys.

One element in a namespace of our own, inside the entity; readers that do not know it pass over it. With it an empty
instance can make the tables of an export as they were. Where it stands, XML values are written as spreadsheets write
them: `_x0001_` for a character that XML cannot hold::

    <Table xmlns="urn:unify-customer-data:package:1" name="account">
      <Column name="accountid" kind="guid" required="true" />
      <Column name="revenue" kind="decimal" scale="2" />
      <Key><Name>accountid</Name></Key>
      <AlternateKey name="by_number"><Name>accountnumber</Name></AlternateKey>
      <About>{"label": "Account"}</About>
    </Table>
"""

import json
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from ingest.packages.errors import ManifestError
from ingest.packages.xml import Node
from unify.core.errors import did_you_mean
from unify.records.nouns import Column, Kind, Table

NAMESPACE: Final = "urn:unify-customer-data:package:1"
_TABLE: Final = f"{NAMESPACE} Table"
_KINDS: Final = {kind.value: kind for kind in Kind}


def read_table(entity: Node, where: str) -> Table | None:
    """The typed table of an entity, where the package tells it. Raises ManifestError for one that is wrong."""
    found = [c for c in entity.children if c.name == _TABLE]
    if not found:
        return None
    if len(found) > 1:
        raise ManifestError("Table stands twice", where=where, hint="write it once")
    node = found[0]
    columns = tuple(_column(c, where) for c in _named(node, "Column"))
    names = {c.name for c in columns}
    if len(names) != len(columns):
        raise ManifestError("two columns of Table have the same name", where=where)
    key = tuple(_names(next(iter(_named(node, "Key")), None)))
    keys = {_attribute(k, "name", where): tuple(_names(k)) for k in _named(node, "AlternateKey")}
    for name in (*key, *(n for k in keys.values() for n in k)):
        if name not in names:
            raise ManifestError(f"a key names the column {name[:80]!r}", where=where, hint=did_you_mean(name, names))
    about = next((c.value for c in _named(node, "About")), "")
    return Table(_attribute(node, "name", where), columns, key, keys, _object(about, where))


def _column(node: Node, where: str) -> Column:
    kind = _attribute(node, "kind", where)
    if kind not in _KINDS:
        raise ManifestError(f"the kind of a column is {kind[:80]!r}", where=where, hint=did_you_mean(kind, _KINDS))
    return Column(
        _attribute(node, "name", where),
        _KINDS[kind],
        _whole(node.attributes.get("scale", "0"), where),
        _whole(node.attributes["length"], where) if "length" in node.attributes else None,
        node.attributes.get("required") == "true",
    )


def _attribute(node: Node, name: str, where: str) -> str:
    value = node.attributes.get(name, "")
    if not value:
        raise ManifestError(f"an element of Table lacks {name!r}", where=where, hint="export the package again")
    return value


def _whole(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ManifestError(f"a scale or length of Table is {text[:80]!r}", where=where)
    return int(text)


def _named(node: Node, name: str) -> list[Node]:
    return [c for c in node.children if c.name == f"{NAMESPACE} {name}"]


def _names(node: Node | None) -> list[str]:
    return [c.value for c in _named(node, "Name")] if node is not None else []


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        about = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        raise ManifestError("About of Table is no JSON", where=where, hint="export the package again") from None
    if not isinstance(about, dict):
        raise ManifestError("About of Table is no JSON object", where=where, hint="export the package again")
    return about


def written_table(table: Table) -> str:
    """The element of a table."""
    columns = "".join(_written_column(column) for column in table.columns)
    keys = "".join(_written_key(f"AlternateKey name={quoteattr(name)}", key) for name, key in table.keys.items())
    about = json.dumps(dict(table.about), ensure_ascii=True, sort_keys=True) if table.about else ""
    said = f"<About>{escape(about)}</About>" if about else ""
    key = _written_key("Key", table.key)
    return f'<Table xmlns="{NAMESPACE}" name={quoteattr(table.name)}>{columns}{key}{keys}{said}</Table>'


def _written_column(column: Column) -> str:
    pairs = [("name", column.name), ("kind", column.kind.value)]
    pairs += [("scale", str(column.scale))] * bool(column.scale)
    pairs += [("length", str(column.length))] * (column.length is not None)
    pairs += [("required", "true")] * column.required
    return f"<Column {' '.join(f'{name}={quoteattr(value)}' for name, value in pairs)} />"


def _written_key(tag: str, names: tuple[str, ...]) -> str:
    content = "".join(f"<Name>{escape(name)}</Name>" for name in names)
    return f"<{tag}>{content}</{tag.partition(' ')[0]}>"
