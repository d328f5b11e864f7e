"""The training loop of both networks. Read it from top to bottom: this is the whole order."""

import logging
from typing import Any

from training.loop.checkpoint import SaveError
from training.loop.run import Run
from training.loop.stop_signals import StopFlag
from training.loop.train_log import LOG_EVERY, open_log

logger = logging.getLogger(__name__)

MAX_SKIPPED_IN_ROW = 10


def train(run: Run[Any, Any], stop: StopFlag) -> None:
    """Train a run, new or resumed, to its last step or until it is asked to stop; then save it.

    All processes go through the same lines; only the first one writes files.

    Args:
        run: networks, optimizers and data; its `step` counts the steps done.
        stop: request to stop, from a signal in any process.

    Raises:
        SaveError: if a checkpoint, the log or a sheet cannot be written.
        FloatingPointError: if a line of the log is due after more than 10 steps in a row without
            a finite gradient.
    """
    try:
        with open_log(run) as log:
            is_last = run.step >= run.total_steps
            while not is_last and not stop.is_set_anywhere(run.accelerator):
                # Data: a function of seed and step alone, so that resume is exact.
                random = run.step_random()
                batch = run.next_batch(random)

                # Step: forward, backward, clip, optimizer, average of the weights.
                figures = run.train_step(batch, random)
                is_last = run.step >= run.total_steps
                is_measured = is_last or run.step % run.settings.evaluate_every == 0
                is_logged = is_measured or run.step % LOG_EVERY == 0
                if is_logged:  # only now the device is waited for
                    refuse_to_diverge(run)
                log.tick()

                # Evaluate: figures on validation pictures, and a sheet to look at.
                if is_measured:
                    with log.doing("evaluating"):
                        validation, sheet = run.evaluate()
                    figures |= validation
                    log.show(sheet, validation)

                # Log.
                if is_logged:
                    figures |= run.log_figures()
                    log.write(figures | {"step": run.step, "skipped": run.skipped})

                # Save: a checkpoint to resume from, and the averaged weights as a model.
                if run.step % run.settings.save_every == 0 and not is_last:
                    with log.doing("saving"):
                        run.save()
            with log.doing("saving"):
                run.save()
    except SaveError:
        raise
    except OSError as error:
        raise SaveError(f"{run.folder} cannot be written: {error}") from error
    if not is_last:
        logger.info("stopped at step %d; the same command resumes from here", run.step)


def refuse_to_diverge(run: Run[Any, Any]) -> None:
    """Check that the last steps were not all skipped.

    Raises:
        FloatingPointError: if more than 10 of them were.
    """
    if run.skipped_in_row > MAX_SKIPPED_IN_ROW:
        raise FloatingPointError(
            f"{run.skipped_in_row} steps in a row had no finite gradient; the last checkpoint in "
            f"{run.folder} is from before: lower the learning rate and resume from it"
        )
