"""How an example lies in TFRecords.

Laid out as arrays of bytes, many records at once, for speed; and without TensorFlow, which takes
longer to start than many data sets take to write.
"""

import numpy as np

from input_data.records.frames import masked_crc32c


class RecordLayout:
    """TFRecords of tf.train.Examples that differ only in small integers and pixels.

    Attributes:
      record_bytes: length of each record, framing included.
    """

    def __init__(self, constants: dict[str, int], varying: dict[str, np.ndarray]) -> None:
        """Lays out the features by name, which makes the bytes the same in every run.

        Args:
          constants: int64 features that all records share, such as the size.
          varying: one example of the others: integers below 128, [1] or [1, k], and images
            [1, ...] of three dimensions or more.
        """
        entries, ends = b'', {}
        for name in sorted([*constants, *varying]):
            if name in constants:
                value = _field(3, _field(1, _varint(constants[name])))
            else:
                kind = 1 if varying[name].ndim > 2 else 3  # bytes_list or int64_list
                value = _field(kind, _field(1, bytes(varying[name].size)))
            entries += _field(1, _field(1, name.encode()) + _field(2, value))
            ends[name] = len(entries)
        message = _field(1, entries)
        header = len(message).to_bytes(8, 'little')
        framing = header + masked_crc32c(header).to_bytes(4, 'little')
        self._template = np.frombuffer(framing + message + bytes(4), np.uint8)  # [record_bytes]
        self.record_bytes = len(self._template)
        start = self.record_bytes - 4 - len(entries)
        self._slots = {
            name: slice(start + ends[name] - values.size, start + ends[name])
            for name, values in varying.items()
        }

    def encode(self, features: dict[str, np.ndarray]) -> np.ndarray:
        """Takes one array [k, ...] for each feature; returns uint8 [k, record_bytes]."""
        count = len(next(iter(features.values())))
        records = np.tile(self._template, (count, 1))  # [k, record_bytes]
        for name, slot in self._slots.items():
            records[:, slot] = features[name].reshape(count, -1)  # [k, pixels] or [k, 1]
        checksums = [masked_crc32c(message.tobytes()) for message in records[:, 12:-4]]
        records[:, -4:] = np.array(checksums, '<u4')[:, None].view(np.uint8)  # [k, 4]
        return records


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + _varint(value >> 7)
