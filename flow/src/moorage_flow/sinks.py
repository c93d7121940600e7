"""Where a query's rows go: into a stream, a window or a table."""

from __future__ import annotations

from .errors import AppInvalid, AttributeUnknown, DefinitionRepeated
from .events import Chunk, Event
from .expressions import Compiler
from .language import syntax as s
from .matching import compile_match
from .output import Sink
from .scope import Frame, Getter, Scope
from .table import Assignments, Table
from .values import NUMERIC, to_type


def expect_same(
    name: str, wanted: tuple[s.Attribute, ...], given: list[s.Attribute], place: s.Place
) -> None:
    """Raise DefinitionRepeated unless a selection gives exactly the attributes of its target."""
    if list(wanted) != given:
        shown = ", ".join(f"{a.name} {a.type.value}" for a in given)
        stands = ", ".join(f"{a.name} {a.type.value}" for a in wanted)
        raise DefinitionRepeated(f"{name} is ({stands}), the query gives ({shown})", place)


def into_table(table: Table) -> Sink:
    """Insert every row."""

    def insert(chunk: Chunk) -> None:
        for event in chunk:
            table.insert(list(event.out), event.ts)

    return insert


def change_table(
    compiler: Compiler, output: s.Output, table: Table, given: list[s.Attribute]
) -> Sink:
    """Delete, update, or update or insert, by each row of the query. Raises AppInvalid."""
    scope = Scope([Frame("", given)], current=0)
    inner = compiler.within(scope)
    assert isinstance(output, s.Delete | s.Update | s.UpdateOrInsert)
    # A question that selects nothing has no event: what it names bare is of the table.
    match = compile_match(inner, output.on, table, row_first=not given)
    if isinstance(output, s.Delete):

        def delete(chunk: Chunk) -> None:
            for event in chunk:
                table.delete(match, Event(event.ts, event.out))

        return delete
    assignments = _assignments(inner, output.set, table, given, output.target.place)
    inserts = isinstance(output, s.UpdateOrInsert)
    if inserts:
        expect_same(table.id, table.attributes, given, output.target.place)

    def update(chunk: Chunk) -> None:
        for event in chunk:
            row = Event(event.ts, event.out)
            if not table.update(match, assignments, row) and inserts:
                table.insert(list(event.out), event.ts)

    return update


def _assignments(
    compiler: Compiler,
    given_set: tuple[s.Assignment, ...] | None,
    table: Table,
    given: list[s.Attribute],
    place: s.Place,
) -> Assignments:
    known = [a.name for a in table.attributes]
    if given_set is None:
        made: Assignments = []
        for at, attribute in enumerate(given):
            if attribute.name not in known:
                raise AttributeUnknown(f"{attribute.name} is no attribute of {table.id}", place)
            column = known.index(attribute.name)
            wanted = table.attributes[column].type
            if attribute.type is not wanted:
                raise AppInvalid(
                    f"{attribute.name} of {table.id} is {wanted.value}, "
                    f"the query gives {attribute.type.value}",
                    place,
                )
            made.append((column, _of_event(at)))
        return made
    frames = [*compiler.scope.frames, Frame(table.id, list(table.attributes))]
    merged = compiler.within(Scope(frames, state=True, current=0 if given else 1))
    result: Assignments = []
    for assignment in given_set:
        variable = assignment.variable
        if variable.stream not in {None, table.id} or variable.attribute not in known:
            raise AttributeUnknown(
                f"{variable.attribute} is no attribute of {table.id}", variable.place
            )
        column = known.index(variable.attribute)
        value = merged.compile(assignment.expression)
        wanted = table.attributes[column].type
        if value.type in NUMERIC and wanted in NUMERIC:
            result.append((column, _converted(value.get, wanted)))
            continue
        if value.type is not wanted:
            raise AppInvalid(
                f"{variable.attribute} is a {wanted.value}, not a {value.type.value}",
                variable.place,
            )
        result.append((column, value.get))
    return result


def _converted(get: Getter, kind: s.Type) -> Getter:
    return lambda paired: to_type(get(paired), kind)


def _of_event(at: int) -> Getter:
    return lambda paired: paired.streams[0][0].data[at]
