"""Record tables when instances are copied, reset and deleted; and as a data source."""

from pathlib import Path

from unify.dataverse.model import add_attribute, model_of, ready
from unify.dataverse.writes import Writes, writer_of
from unify.records import FILE, RecordStore
from unify.service.app import Service
from unify.service.management.datasources import NewEntity, _declared
from unify.service.management.housekeeping import Housekeeping
from unify.service.settings import Settings

AT = "2026-01-01T00:00:00Z"


def filled(path: Path) -> None:
    store = RecordStore(path)
    ready(store)
    with store.write() as writing:
        said = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Pet"}
        add_attribute(writing, "contact", said)
        Writes(writing, writer_of(writing, "t")).create("contact", {"lastname": "x", "new_pet": "cat"})


def test_a_copy_has_the_tables_and_a_reset_has_nothing(tmp_path: Path) -> None:
    service = Service(Settings(root=tmp_path))
    keeper = Housekeeping(service)
    source = keeper.create("a", {"name": "a"}, "me", AT)
    keeper.copy(source, "empty", {"name": "e"}, "me", AT)
    assert not (tmp_path / "empty" / FILE).exists()
    filled(tmp_path / "a")
    keeper.copy(source, "b", {"name": "b"}, "me", AT)
    copy = RecordStore(tmp_path / "b")
    ready(copy)
    with copy.read() as reading:
        assert "new_pet" in model_of(reading).table("contact").attributes
        assert (reading.count("contact"), reading.count("organization")) == (0, 1)
    keeper.reset(source)
    assert not (tmp_path / "a" / FILE).exists()
    with RecordStore(tmp_path / "a").read() as reading:
        assert dict(reading.tables()) == {}
    keeper.delete(service.roof.get("b"))
    assert not (tmp_path / "b").exists()


def test_a_data_source_may_be_a_record_table() -> None:
    said = {"entityName": "People", "primaryKey": "contactid", "settings": {"records": "contact"}}
    entity = NewEntity.model_validate(said)
    made = _declared("sales", entity)
    assert (made["records"], made["key"], "files" in made) == ("contact", "contactid", False)
