"""The evaluation job: a checkpoint, an ensemble of them, or those of a training as they come."""

from common import files
from jobs.evaluation import ensemble, results
from jobs.evaluation.adopt import adopt_training
from jobs.evaluation.follow import follow_training
from jobs.evaluation.scoring import Evaluation
from jobs.evaluation.session import Session, open_session
from jobs.options import RunOptions
from models import checkpoint


def run(options: RunOptions) -> Evaluation:
    """Evaluates `checkpoint`, or else follows the training in `summary_dir`.

    Args:
      options: as `RunOptions.check` lets them pass.

    Returns:
      The last evaluation.

    Raises:
      UserError, OSError: for whatever is wrong with options or files.
    """
    run = options.run if options.summary_dir else None
    if run is not None:
        files.check_directory(f'--summary_dir={run.folder}', run.test_dir)
        run.remove_abandoned()
        _ = run.config  # a foreign one is told of before the work
    members = ensemble.list_members(options)
    session = open_session(*adopt_training(options))
    if len(members) > 1:
        evaluation = ensemble.evaluate_ensemble(session, members)
        session.write_config()
    elif members:
        step, evaluation = session.evaluate(members[0])
        session.record(members[0], step, evaluation)
    else:
        session, evaluation = follow_training(session, options)
    _write_products(session, members, evaluation)
    print(evaluation.line())
    return evaluation


def _write_products(session: Session, members: list[str], evaluation: Evaluation) -> None:
    """Whatever else was asked for: predictions, figures, the report."""
    options, model = session.options, session.model
    if options.predictions:
        results.write_predictions(options.predictions, evaluation)
        print(f'Predictions {options.predictions}')
    if not (options.figures or options.report):
        return
    # Lazily: Matplotlib takes a second to import.
    from jobs.visualization import figures, report

    run = options.run
    own = model if len(members) <= 1 else None
    drawn = figures.draw_figures(run, evaluation, session.batches, own, options.figures)
    if options.figures:
        figures.write_figures(run.figures_dir, drawn)
    if options.report:
        path = members[0] if members else checkpoint.path_of(run.train_dir, int(model.step.numpy()))
        page = report.write_report(run, model, session.batches, evaluation, drawn, path)
        print(f'Report {page}')
