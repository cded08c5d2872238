"""Runs the entries of a batch: here, or in a service."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from app.cli.batch.checks import HashOfSet, LocalRequest, check_all, local_key, local_request
from app.cli.batch.entries import Entry, ReadLines
from app.cli.batch.pictures import PictureFinder
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import output_folder
from app.cli.batch.remote import run_in_service
from app.cli.batch.reporting import AGAIN, Options, refuse, say_end
from app.cli.messages import INTERRUPTED, fail, fail_on
from app.cli.serve import read_settings
from app.errors import InputError
from app.networks.catalogue import CachedCatalogue, local_engine
from app.settings import Settings
from app.supervision.openmp import let_threads_sleep


def run_entries(read: ReadLines, folder: Path, options: Options) -> None:
    """Run entries whose pictures are paths from a folder. Exits with 1 if one failed."""
    if options.reproducible:
        read = replace(read, entries=[replace(entry, reproducible=True) for entry in read.entries])
    if options.url is None:
        if options.priority is not None:
            fail_on([("--priority", "Jobs of a service have one: name it with --url.")])
        _run_here(read, folder, options)
    else:
        if options.device is not None:
            fail_on([("--device", "The service chooses its own: leave this out, or --url and IMPASTO_URL.")])
        run_in_service(read, folder, options)


def _run_here(read: ReadLines, folder: Path, options: Options) -> None:
    settings = read_settings(device=options.device)
    with local_engine(settings) as engine:
        catalogue, finder = CachedCatalogue(engine), PictureFinder(folder)
        hash_of_set = _hasher_of_sets(settings, engine)

        def request_of(entry: Entry) -> LocalRequest:
            return local_request(entry, finder, catalogue)

        keys, problems = check_all(
            read.entries, lambda entry: local_key(entry, request_of(entry), catalogue, hash_of_set)
        )
        failures = refuse([*read.problems, *problems], options)
        with output_folder(options.output, read.entries, finder.paths()) as results:
            missing = results.missing(read.entries, keys)
            try:
                if missing:
                    # Imports torch, which takes seconds, so only after everything was checked.
                    let_threads_sleep(os.environ)
                    from app.cli.batch.local import LocalBatch

                    batch = LocalBatch(request_of, keys, results, settings, engine, catalogue)
                    failures.extend(batch.compute(missing, BatchProgress("Computing", len(missing))))
                results.write_results(read.entries, keys, failures)
            except InputError as error:
                fail_on([("--device", error.detail)])
            except OSError as error:
                fail(f"{error.filename or options.output}: {error.strerror}. What is done is kept.")
            except KeyboardInterrupt:
                left = len(results.missing(read.entries, keys))
                fail(f"Stopped with {left:,} left; what is done is kept. {AGAIN}", INTERRUPTED)
            say_end(results, read.entries, keys, len(missing), failures)


def _hasher_of_sets(settings: Settings, engine: Engine | None) -> HashOfSet:
    """The hashes of sets, which only torch can read."""

    @cache
    def hasher() -> HashOfSet:
        from app.cli.batch.local import hasher_of_sets

        return hasher_of_sets(settings, engine)

    return lambda params, param, given: hasher()(params, param, given)
