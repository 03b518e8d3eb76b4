"""Curated data sets: make, fill, look at, check, split, snapshot, export, merge, tidy up."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

HELP = (
    "curated data sets: create, import, add, predict, list, show, check, split, snapshot, export, merge, prune, raters"
)
Adding = Callable[..., argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A subcommand each; FOLDER is the data set."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, text: str, *, author: bool = False, job: bool = False) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("dataset", type=Path, metavar="FOLDER", help="the data set")
        action.add_argument("--json", action="store_true", help="print JSON instead of text")
        if author:
            action.add_argument("--author", metavar="NAME", help="who you are; kept in your settings")
        if job:
            action.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")
        return action

    _add_filling(add)
    _add_predicting(add)
    _add_looking(add)
    _add_dividing(add)
    _add_keeping(add)


def run(arguments: argparse.Namespace) -> None:
    """Do what ``arguments.action`` says."""
    from MedSegEffNetLib.commands import _dataset_cases, _dataset_predict, _dataset_sets

    actions = {**_dataset_cases.ACTIONS, **_dataset_sets.ACTIONS, **_dataset_predict.ACTIONS}
    actions[arguments.action](arguments)


def _add_filling(add: Adding) -> None:
    create = add("create", "make an empty data set")
    create.add_argument("--task", required=True, metavar="TASK", help="see `medsegeffnet tasks`")
    create.add_argument("--title", default="", help="what people call it (default: the folder's name)")
    taken = add("import", "take over the cases of a folder; again: only what is new", author=True, job=True)
    taken.add_argument("source", type=Path, metavar="SOURCE", help="a folder of cases, its layout is found out")
    taken.add_argument(
        "--format", default="", metavar="LAYOUT", help="the layout's name, where it is found out wrongly"
    )
    how = taken.add_mutually_exclusive_group()
    how.add_argument("--copy", action="store_true", help="copy the images (default)")
    how.add_argument("--reference", action="store_true", help="leave the images where they are; path and hash are kept")
    taken.add_argument("--site", default="", metavar="NAME", help="where the images were taken")
    taken.add_argument("--pseudonymize", action="store_true", help="no name and no UID in what is written")
    taken.add_argument("--key", type=Path, metavar="FILE", help="key of the pseudonyms (default: one of your own)")
    new = add("add", "add a case, or a label, state, flag or comment to a case", author=True, job=True)
    new.add_argument("case", metavar="CASE", help="the case's id")
    new.add_argument(
        "--input", action="append", default=[], metavar="CHANNEL=FILE", help="an image of a new case"
    )  # fmt: skip
    new.add_argument("--patient", metavar="NAME", help="of a new case (default: the case's id)")
    new.add_argument("--site", default="", metavar="NAME", help="of a new case")
    new.add_argument("--reference", action="store_true", help="leave the images of a new case where they are")
    new.add_argument("--pseudonymize", action="store_true", help="a new case: no name and no UID in what is written")
    new.add_argument("--key", type=Path, metavar="FILE", help="key of the pseudonyms (default: one of your own)")
    new.add_argument(
        "--synthesised", action="append", default=[], metavar="CHANNEL", help="an image that a network made"
    )  # fmt: skip
    new.add_argument("--label", type=Path, metavar="FILE", help="a label map: becomes the newest version")
    new.add_argument("--model", default="", metavar="NAME@VERSION", help="the model that made the label")
    new.add_argument(
        "--base", type=int, metavar="NUMBER", help="version that the label was made from (default: current)"
    )
    new.add_argument("--minutes", type=float, default=0.0, metavar="N", help="time spent on the label")
    new.add_argument("--comment", metavar="TEXT", help="of the label if one is given, else of the case")
    new.add_argument("--flag", action="append", default=[], metavar="TEXT", help="put a flag on the case")
    new.add_argument("--unflag", action="append", default=[], metavar="TEXT", help="take a flag off")
    new.add_argument("--choose", type=int, metavar="NUMBER", help="make this version the case's label")
    new.add_argument("--state", metavar="STATE", help="new, predicted, 'in review', accepted or rejected")


def _add_predicting(add: Adding) -> None:
    predict = add(
        "predict", "let a model label the cases; again: only those that it has not labelled", author=True, job=True
    )
    predict.add_argument("--model", required=True, metavar="MODEL", help="name, name@version, folder, or a task's id")
    predict.add_argument(
        "--state", default="new", metavar="STATE", help="cases in this state, or several with commas (default: new)"
    )
    predict.add_argument("--case", action="append", default=[], metavar="CASE", help="only this case (more than once)")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    predict.add_argument("--engine", default="auto", help="auto, openvino or torch")
    predict.add_argument("--ensemble", default="", metavar="NAME", help="which networks vote, of a model of several")
    predict.add_argument("--flips", action="store_true", help="average with the mirrored image's prediction")
    predict.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")


def _add_looking(add: Adding) -> None:
    table = add("list", "list the cases")
    table.add_argument("--state", metavar="STATE", help="only cases in this state")
    show = add("show", "print what is known of a case, or of the data set")
    show.add_argument("case", nargs="?", metavar="CASE", help="the case's id")
    check = add("check", "look for what is wrong; exit code 2 if there are errors", job=True)
    check.add_argument("--case", action="append", default=[], metavar="CASE", help="only this case (more than once)")
    check.add_argument("--output", type=Path, metavar="FOLDER", help="folder for findings.csv and findings.html")
    raters = add("raters", "compare labels of a case", author=True)
    raters.add_argument("case", metavar="CASE", help="the case's id")
    raters.add_argument(
        "--versions", type=int, nargs="+", default=[], metavar="N", help="default: each author's newest"
    )
    raters.add_argument("--output", type=Path, metavar="FOLDER", help="folder for difference maps and agreement.csv")
    raters.add_argument("--consensus", action="store_true", help="save the STAPLE consensus as a new version")


def _add_dividing(add: Adding) -> None:
    split = add("split", "divide the patients into splits; again: print them")
    split.add_argument(
        "--fractions", nargs="+", default=[], metavar="NAME=PART", help="default: train=0.7 val=0.15 test=0.15"
    )  # fmt: skip
    split.add_argument("--seed", type=int, metavar="N", help="of new splits (default: 0)")
    split.add_argument("--add", action="store_true", help="give patients without a split one; no other changes")
    split.add_argument("--move", nargs="+", default=[], metavar="PATIENT=NAME", help="put patients into another split")
    snapshot = add("snapshot", "write down the accepted cases as they are now, for a training", author=True)
    snapshot.add_argument("--comment", default="", metavar="TEXT", help="what it is for")
    snapshot.add_argument("--synthesised", action="store_true", help="also cases with synthesised images")
    snapshot.add_argument("--list", action="store_true", help="list the snapshots there are")


def _add_keeping(add: Adding) -> None:
    export = add("export", "write the accepted cases in another program's layout", job=True)
    export.add_argument("--format", required=True, metavar="FORMAT", help="nnunet, msd, bids, …")
    export.add_argument("--output", required=True, type=Path, metavar="OUT", help="a new or empty folder")
    export.add_argument("--snapshot", default="", metavar="ID", help="the cases of a snapshot")
    merge = add("merge", "take over the cases of another data set, which stays as it is", author=True, job=True)
    merge.add_argument("other", type=Path, metavar="OTHER", help="the other data set")
    prune = add("prune", "move old label versions into the data set's trash; without --yes: say which", author=True)
    prune.add_argument(
        "--keep", type=int, default=3, metavar="N", help="newest versions of a case to keep (default: 3)"
    )
    prune.add_argument("--rejected-images", action="store_true", help="also the images of rejected cases")
    prune.add_argument("--yes", action="store_true", help="do it")
