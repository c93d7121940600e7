"""Applications as Flink SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage_flow import App
from moorage_flow.cli import main
from moorage_flow.flink import translate

STREAMS = "define stream S (k string, n int, x double); define stream R (k string, y double); "
SECOND = "INTERVAL '00:00:01.000' HOUR TO SECOND(3)"
ALMOST = "INTERVAL '00:00:00.999' HOUR TO SECOND(3)"


def _view(query: str) -> str:
    translation = translate(App.parse(STREAMS + query))
    assert translation.missing == []
    assert len(translation.statements) == 3
    return " ".join(translation.statements[-1].split())


def test_a_stream_nobody_fills_is_a_table_on_event_time() -> None:
    table, *_ = translate(App.parse(STREAMS)).statements
    assert table.splitlines() == [
        "CREATE TABLE `S` (",
        "  `k` STRING,",
        "  `n` INT,",
        "  `x` DOUBLE,",
        "  `rowtime` TIMESTAMP_LTZ(3),",
        "  WATERMARK FOR `rowtime` AS `rowtime`",
        ") WITH ('connector' = 'filesystem', 'path' = 'S', 'format' = 'json');",
    ]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (
            'from S[k != "it\'s" and not (n > 1)] select k, n / 2 as half insert into O;',
            "SELECT `k` AS `k`, (`n` / NULLIF(2, 0)) AS `half`, `rowtime` AS `rowtime` FROM `S` "
            "WHERE ((`k` = 'it''s') IS NOT TRUE AND ((`n` > 1)) IS NOT TRUE)",
        ),
        (
            "from S#window.time(1 sec) select k, sum(n) as t group by k insert into O;",
            "SELECT `k` AS `k`, SUM(CAST(`n` AS BIGINT)) OVER (PARTITION BY `k` ORDER BY `rowtime` "
            f"RANGE BETWEEN {ALMOST} PRECEDING AND CURRENT ROW) AS `t`, "
            "`rowtime` AS `rowtime` FROM `S`",
        ),
        (
            "from S#window.timeBatch(1 sec, 0) select k, n, avg(x) as m group by k insert into O;",
            "SELECT `k` AS `k`, LAST_VALUE(`n`) AS `n`, AVG(CAST(`x` AS DOUBLE)) AS `m`, "
            "`window_time` AS `rowtime` "
            f"FROM TABLE(TUMBLE(TABLE `S`, DESCRIPTOR(`rowtime`), {SECOND})) "
            "GROUP BY `window_start`, `window_end`, `window_time`, `k`",
        ),
        (
            "partition with (k of S) begin "
            "from S#window.length(3) select max(x) as top insert into O; end;",
            "SELECT MAX(`x`) OVER (PARTITION BY `k` ORDER BY `rowtime` ROWS BETWEEN 2 PRECEDING "
            "AND CURRENT ROW) AS `top`, `rowtime` AS `rowtime` FROM `S`",
        ),
        (
            "from S#window.time(1 sec) as l unidirectional join R#window.time(1 sec) as r "
            "on l.k == r.k select l.k, r.y insert into O;",
            "SELECT `l`.`k` AS `k`, `r`.`y` AS `y`, `l`.`rowtime` AS `rowtime` FROM `S` AS `l` "
            f"JOIN `R` AS `r` ON `r`.`rowtime` BETWEEN `l`.`rowtime` - {ALMOST} AND `l`.`rowtime` "
            "AND (`l`.`k` = `r`.`k`)",
        ),
        (
            "from every a=S[n > 1] -> b=S[n > a.n] within 1 sec select a.k, b.n insert into O;",
            "SELECT `k`, `n`, `rowtime` FROM `S` MATCH_RECOGNIZE ( ORDER BY `rowtime` MEASURES "
            "E1.`k` AS `k`, E2.`n` AS `n`, MATCH_ROWTIME() AS `rowtime` ONE ROW PER MATCH "
            f"AFTER MATCH SKIP TO NEXT ROW PATTERN (E1 ANY1*? E2) WITHIN {SECOND} "
            "DEFINE E1 AS (E1.`n` > 1), E2 AS (E2.`n` > E1.`n`) )",
        ),
        (
            "from every a=S, b=S[n > a.n]+, c=S[n < b[last].n] select b[0].n as m insert into O;",
            "SELECT `m`, `rowtime` FROM `S` MATCH_RECOGNIZE ( ORDER BY `rowtime` MEASURES "
            "FIRST(E2.`n`) AS `m`, MATCH_ROWTIME() AS `rowtime` ONE ROW PER MATCH "
            "AFTER MATCH SKIP TO LAST E3 PATTERN (E1 E2{1,}? E3) "
            "DEFINE E2 AS (E2.`n` > E1.`n`), E3 AS (E3.`n` < LAST(E2.`n`)) )",
        ),
    ],
)
def test_what_maps_is_a_view(query: str, wanted: str) -> None:
    assert _view(query) == f"CREATE VIEW `O` AS {wanted};"


def test_a_view_stands_behind_what_it_reads_and_each_table_once() -> None:
    text = STREAMS + "from M select k insert into O; from S select k insert into M;"
    statements = translate(App.parse(STREAMS + "define stream M (k string);" + text)).statements
    assert [line.split()[2] for line in statements] == ["`S`", "`R`", "`M`", "`O`"]


@pytest.mark.parametrize(
    ("query", "construct"),
    [
        ("from S#window.lengthBatch(2) select sum(n) as t insert into O;", "#window.lengthBatch"),
        ("from S#window.timeBatch(1 sec) select n insert into O;", "#window.timeBatch"),
        (
            "from S#window.length(2) select k, sum(n) as t group by k insert into O;",
            "#window.length with group by",
        ),
        ("from S#window.length(2) select k insert expired events into O;", "expired events"),
        ("from S select k output last every 1 sec insert into O;", "output every"),
        ("from S -> b=R select b.k insert into O;", "a pattern without every"),
        ("from every a=S -> not S for 1 sec select a.k insert into O;", "not"),
        ("from every a=S and b=S select a.k insert into O;", "and"),
        ("from every a=S -> b=R select a.k insert into O;", "a pattern over R, S"),
        (
            "from S#window.time(1 sec) left outer join R#window.time(1 sec) on S.k == R.k "
            "select S.k insert into O;",
            "left outer join",
        ),
        ("from S select instanceOfString(k) as t insert into O;", "instanceOfString()"),
        ("define table T (k string); from S select k insert into O;", "define table"),
    ],
)
def test_what_does_not_map_is_named_and_its_stream_left_out(query: str, construct: str) -> None:
    translation = translate(App.parse(STREAMS + query + " from S select k insert into Other;"))
    assert translation.missing[0][1] == construct
    assert "CREATE VIEW `Other`" in translation.statements[-1]
    if construct != "define table":
        assert not any("`O` " in statement for statement in translation.statements)


def test_a_stream_of_which_a_part_does_not_map_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "app.siddhi"
    path.write_text(
        f"{STREAMS}\nfrom S select k insert into O;\n"
        "from S#window.sort(1, n) select k, count() as c insert into P;\n"
        "from P select k insert into Q;"
    )
    assert main(["to-flink", str(path)]) == 1
    told = capsys.readouterr()
    assert "CREATE VIEW `O`" in told.out
    assert "`P`" not in told.out
    assert "line 3, column 15: #window.sort does not map: there is no such window" in told.err
    assert "stream Q does not map: it reads P" in told.err
