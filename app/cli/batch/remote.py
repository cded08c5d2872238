"""Runs the entries of a batch in a service, and fetches the results as they come."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.cli.batch.checks import Key, check_all, service_key
from app.cli.batch.entries import Entry, ReadLines
from app.cli.batch.fetching import Fetcher
from app.cli.batch.pictures import PictureFinder
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import output_folder
from app.cli.batch.reporting import AGAIN, Options, refuse, say_end
from app.cli.batch.sending import Sender
from app.cli.messages import INTERRUPTED, fail
from app.cli.service_client import answer, service
from app.jobs.job import Json


def run_in_service(read: ReadLines, folder: Path, options: Options) -> None:
    """Run entries whose pictures are paths from a folder, or ids. Exits with 1 if one failed."""
    finder = PictureFinder(folder, ids=True)
    keys, problems = check_all(read.entries, lambda entry: service_key(entry, finder))
    failures = refuse([*read.problems, *problems], options)
    with (
        output_folder(options.output, read.entries, finder.paths()) as results,
        service(options.url) as client,
    ):
        missing = results.missing(read.entries, keys)
        try:
            if missing:
                # A service that is not there is said at once; later it is waited for.
                answer(client.get("/v1/batches", params={"limit": 1}))
                sender = Sender(client, str(client.base_url), results, finder)
                failures += _compute(sender, missing, keys, options)
            results.write_results(read.entries, keys, failures)
        except OSError as error:
            fail(f"{error.filename or options.output}: {error.strerror}. {AGAIN}")
        say_end(results, read.entries, keys, len(missing), failures)


def _compute(
    sender: Sender, missing: Sequence[Entry], keys: Mapping[str, Key], options: Options
) -> list[Json]:
    """Send the entries that were not sent yet, and follow all to their ends; what has failed."""
    folder, followed, failures = sender.folder, list[Fetcher](), list[Json]()
    with BatchProgress("Waiting", len(missing)) as progress:

        def fetcher(batch_id: str, wanted: Mapping[int, Entry]) -> Fetcher:
            return Fetcher(sender.client, batch_id, folder, wanted, keys, progress)

        try:
            sent = [fetcher(*part) for part in sender.sent(missing, keys).items()]
            followed += [each for each in sent if each.resume()]
            going = {entry.line for each in followed for entry in each.wanted.values()}
            new = [entry for entry in missing if entry.line not in going]
            if new:
                ids = sender.upload(new, progress)
                progress.say("Sending")
                batch = sender.create(new, keys, ids, options, progress)
                followed.append(fetcher(batch["id"], dict(enumerate(new, 1))))
                # It may be one of an earlier run.
                followed[-1].resume()
            for each in followed:
                each.follow()
                failures += each.failures()
        except KeyboardInterrupt:
            progress.stop()
            if not followed:
                fail(f"Stopped before the batch was sent. {AGAIN}", INTERRUPTED)
            going_on = " ".join(each.batch_id for each in followed)
            fail(
                f"The service goes on with it. The same command fetches the rest; impasto batch cancel "
                f"{going_on} stops it.",
                INTERRUPTED,
            )
    return failures
