"""``lightdet archive``: a model over millions of pictures."""

from __future__ import annotations

from typing import Annotated

from lightdet.cli.common import ALL
from lightdet.options.archive import ArchiveOptions
from lightdet.wording import counted, duration


def run(options: Annotated[ArchiveOptions, ALL]) -> None:
    """Judge an archive of pictures with many processes: a row per picture, as Parquet in --output.

    The same command again judges only what is not in the output yet. A process that is killed costs its batch, which is
    done again; a picture that cannot be read is a row with its reason. Ctrl-C and SIGTERM end it: what was judged is
    written first.
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.display.terminated import terminate_as_interrupt
    from lightdet.files import write_json
    from lightdet.runs.archive.run import ArchiveRun

    archive = ArchiveRun(options)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with terminate_as_interrupt() as interrupts, Bar("archive", archive.sources.total) as bar:
            archive.run(bar.step, interrupts.held)
    finally:
        done = archive.done
        if done.pictures or done.earlier:
            rate = f", {done.pictures / done.seconds:.1f} per second" if done.pictures and done.seconds else ""
            lines = [f"{counted(done.pictures, 'row')} in {duration(done.seconds)}{rate}; results in {done.folder}"]
            if done.earlier:
                lines.append(f"{counted(done.earlier, 'picture')} were there already")
            if done.decisions:
                lines.append(f"by the decision rule: {done.decisions['OK']} OK, {done.decisions['NG']} NG")
            if done.failed:
                lines.append(f"{counted(done.failed, 'row')} with a reason in place of a result")
            if done.passed_over:
                lines.append(f"passed over {counted(done.passed_over, 'file')}: no pictures")
            if done.summary is not None:
                lines.append(f"summary: {done.summary}")
            for line in lines:
                console.print(line, markup=False)
    if options.json is not None:
        write_json(options.json, archive.done.as_dict())
