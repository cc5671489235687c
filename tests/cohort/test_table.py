"""The researcher's table: what it may say, and the sentence for what it may not."""

import pytest

from ccta.cohort.table import read_table, settings_of_words
from ccta.errors import BadInput


def table(folder, text):
    for name in ("a", "b"):
        (folder / name).write_text("")
    (folder / "cohort.csv").write_text(text)
    return folder / "cohort.csv"


def test_rows_become_studies_with_settings(tmp_path):
    text = "\ufeffpath;systolic;diastolic;heart_rate;flow.interval_samples;tree.step_mm;note.site\na;130;85;60;10;;north\n\nb;;;;;0.4;\n"
    first, second = read_table(table(tmp_path, text), {"flow": {"model": "rom"}})
    assert (first.id, second.id) == ("a", "b") and first.source == str(tmp_path / "a")
    assert first.settings == {"flow": {"model": "rom", "systolic_mmhg": 130.0, "diastolic_mmhg": 85.0, "interval_samples": 10}}
    assert first.given == {"systolic_mmhg": 130.0, "diastolic_mmhg": 85.0, "heart_rate_bpm": 60.0, "note.site": "north"}
    assert second.settings == {"flow": {"model": "rom"}, "tree": {"step_mm": 0.4}}
    import tomllib

    assert tomllib.loads(first.settings_toml) == first.settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,blood\na,1\n", "row 1, column blood: not known"),
        ("path,flow.modle\na,rom\n", "row 1, column flow.modle: flow has no setting 'modle'"),
        ("id\na\n", "no column `path`"),
        ("path\na\nnowhere\n", "row 3, column path: nowhere does not exist"),
        ("path,systolic,diastolic\na,120,80\nb,high,80\n", "row 3, column systolic_mmhg: 'high' is not a number from 60 to 300"),
        ("path,systolic,diastolic\na,120,130\n", "row 2, column diastolic_mmhg: a blood pressure of 120/130 mmHg is not possible"),
        ("path,haematocrit\na,45\n", "row 2, column haematocrit: '45' is not a number from 0.1 to 0.65"),
        ("path,flow.interval_samples\na,many\n", "row 2, column flow.interval_samples: 'many' is not a whole number"),
        ("path,flow.model\na,4d\n", "row 2, column flow.model: '4d' is none of rom, 3d"),
        ("path,id\na,x\nb,X\n", "row 3, column id: 'X' is the name of row 2 too"),
        ("path,id\na,../x\n", "row 2, column id: '../x' cannot name a folder"),
        ("path,id\na\n", "row 2 of"),
        ("path\npacs:main?colour=red\n", "row 2, column path: 'pacs:main?colour=red' is no PACS query"),
        ("path\npacs:main?accession=\n", "is no PACS query; write pacs:NAME?accession=A123"),
        ("path\n", "holds no studies"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column(text, said, tmp_path):
    with pytest.raises(BadInput) as error:
        read_table(table(tmp_path, text))
    assert said in str(error.value)


def test_settings_for_all_rows_are_checked_too():
    assert settings_of_words({"flow.model": "rom", "haematocrit": "0.4"}) == {"flow": {"model": "rom", "haematocrit": 0.4}}
    with pytest.raises(BadInput, match=r"--set, column flow.colour"):
        settings_of_words({"flow.colour": "red"})


def test_a_changed_input_or_setting_changes_the_fingerprint(tmp_path):
    path = table(tmp_path, "path,haematocrit\na,0.4\n")
    (before,) = read_table(path)
    assert before.fingerprint == read_table(path)[0].fingerprint
    (tmp_path / "a").write_text("new")
    assert before.fingerprint != read_table(path)[0].fingerprint
