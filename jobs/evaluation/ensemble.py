"""Ensembles: the summed scores of several checkpoints of one network (release)."""

import numpy as np

from jobs.evaluation.scoring import Evaluation, judge
from jobs.evaluation.session import Session
from jobs.options import RunOptions
from models import checkpoint


def list_members(options: RunOptions) -> list[str]:
    """Paths of the checkpoints to evaluate; none where a training is to be followed.

    Raises:
      CheckpointError: naming the first that is missing, before anything is computed.
    """
    if not options.checkpoint:
        return []
    paths = [options.checkpoint_of(trial) for trial in range(options.num_trials)]
    for path in paths:
        checkpoint.check_exists(path)
    return paths


def evaluate_ensemble(session: Session, paths: list[str]) -> Evaluation:
    """Evaluates every member and their sum, over the same examples in the same order.

    Prints each member's error; the caller prints the ensemble's.
    """
    scores, losses = np.zeros([], np.float32), []
    for number, path in enumerate(paths):
        _, member = session.evaluate(path)
        print(
            f'Member {number}: {member.num_wrong} of {member.num_examples} wrong '
            f'({member.wrong_percent:g} %) {path}',
            flush=True,
        )
        scores = scores + member.scores
        losses.append(member.loss)
    print(f'Ensemble of {len(paths)}:')
    judged = judge(scores, member.labels, float(np.mean(losses)))
    return judged._replace(class_names=member.class_names)
