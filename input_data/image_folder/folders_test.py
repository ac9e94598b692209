"""Which files a request means, which are held out, and what is wrong with folders."""

import os

import pytest

from input_data import DataError, InputRequest
from input_data.image_folder import folders
from input_data.image_folder.testing import paths_of


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def numbered(count, first=0):
    return [f'{number}.png' for number in range(first, first + count)]


def files(folder, split, **request):
    return folders.list_files(InputRequest(str(folder), split, **request)).files


def test_train_and_test_folders_are_read_as_they_are(tmp_path):
    for part, names in (('train', numbered(3)), ('test', numbered(2))):
        touch(tmp_path / part / 'b, ü', *names)
        touch(tmp_path / part / 'a', *names, '.hidden')
    touch(tmp_path / 'train' / 'only here', *numbered(1))
    touch(tmp_path / '.git' / 'c', *numbered(1))
    listing = folders.list_files(InputRequest(str(tmp_path), 'test'))
    assert listing.class_names == ('a', 'b, ü', 'only here')
    assert [len(paths) for paths in listing.files.values()] == [2, 2, 0]
    assert (len(listing.all_paths), listing.note) == (11, '')
    assert [len(paths) for paths in files(tmp_path, 'train').values()] == [3, 3, 1]


def test_a_share_is_held_out_by_name_whatever_the_seed(tmp_path):
    for name in 'ab':
        touch(tmp_path / name, *numbered(600))
    parts = {
        (split, validate): paths_of(files(tmp_path, split, validate=validate))
        for split in ('train', 'test')
        for validate in (False, True)
    }
    train, test = parts['train', False], parts['test', False]
    assert not train & test and len(train | test) == 1200
    assert 150 < len(test) < 250  # a sixth, 4 standard deviations to either side
    fitted, validation = parts['train', True], parts['test', True]
    assert fitted | validation == train and not fitted & validation
    assert abs(len(validation) - len(train) / 6) < 50
    for name in 'ab':
        touch(tmp_path / name, *numbered(300, first=600))
    assert paths_of(files(tmp_path, 'test')) >= test
    assert paths_of(files(tmp_path, 'train')) >= train
    note = folders.list_files(InputRequest(str(tmp_path), 'train')).note
    found = len(paths_of(files(tmp_path, 'test')))
    assert note == f'(held out {found} of 1800 pictures for testing)'


def test_no_class_loses_all_its_files(tmp_path):
    for number in range(300):
        touch(tmp_path / f'class {number}', 'one.png')
    assert all(files(tmp_path, 'train').values())


def test_names_in_no_encoding_and_links_in_a_circle(tmp_path):
    touch(tmp_path / 'a', *numbered(9), b'\xff.png'.decode(errors='surrogateescape'))
    touch(tmp_path / 'b', *numbered(9))
    (tmp_path / 'b' / 'loop').symlink_to(tmp_path)
    (tmp_path / 'c').symlink_to('c')  # leads nowhere, so it is no folder
    listing = folders.list_files(InputRequest(str(tmp_path), 'train'))
    assert listing.class_names == ('a', 'b')
    assert len(listing.all_paths) == 20


BROKEN = {
    'nothing': ([], r'^{}: found 0 class folders \(none\); expected 2 to 4096'),
    'files alone': (['a.png'], '^{}: found 0 class folders'),
    'one class': (['a/1'], r'^{}: found 1 class folders \(a\); expected 2'),
    'an empty class': (['a/1', 'b/'], '^{}/b: found an empty class folder; expected pictures'),
    'an empty class in train': (['train/a/1', 'train/b/', 'test/a/1'], '^{}/train/b: found an em'),
    'no test': (['train/a/1', 'train/b/1'], 'in train/ and none in test/; expected them in both'),
    'no train': (['test/a/1', 'test/b/1'], 'in test/ and none in train/; expected them in both'),
    'unknown class': (['train/a/1', 'train/b/1', 'test/c/1'], '^{}/test/c: found a class that'),
    'a line in a name': (['a\nb/1', 'c/1'], r"^'{}/a\\nb': found a name that cannot be printed"),
    'too few to test': (['a/1', 'b/1'], '^--data_dir={}: found 2 files and none to evaluate'),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_broken_folders_are_one_line(tmp_path, kind):
    names, message = BROKEN[kind]
    for name in names:
        folder, file = os.path.split(name)
        touch(tmp_path / folder, *filter(None, [file]))
    with pytest.raises(DataError, match=message.format(tmp_path)):
        files(tmp_path, 'test')


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match='^--data_dir=.*: found no folder; expected one of class'):
        files(tmp_path / 'absent@3', 'train')


@pytest.mark.skipif(os.geteuid() == 0, reason='nothing is closed to root')
def test_a_closed_folder(tmp_path):
    touch(tmp_path / 'a', 'x')
    touch(tmp_path / 'b', 'x')
    (tmp_path / 'b').chmod(0)
    with pytest.raises(DataError, match='/b: Permission denied; expected a readable folder'):
        files(tmp_path, 'train')
