"""How an example lies in TFRecords.

Laid out as arrays of bytes, many records at once, for speed; and without TensorFlow, which takes
longer to start than many data sets take to write.
"""

import functools

import numpy as np

_CRC32C_POLYNOMIAL = 0x82F63B78


class RecordLayout:
    """TFRecords of tf.train.Examples that differ only in labels and pixels.

    Attributes:
      record_bytes: length of each record, framing included.
    """

    def __init__(self, constants: dict[str, int], varying: dict[str, np.ndarray]) -> None:
        """Lays out the features by name, which makes the bytes the same in every run.

        Args:
          constants: int64 features that all records share, such as the size.
          varying: one example of the others: labels [1], below 128, and images [1, h, w].
        """
        entries, ends = b'', {}
        for name in sorted([*constants, *varying]):
            if name in varying and varying[name].ndim == 3:
                value = _field(1, _field(1, bytes(varying[name].size)))
            else:
                value = _field(3, _field(1, _varint(constants.get(name, 0))))
            entries += _field(1, _field(1, name.encode()) + _field(2, value))
            ends[name] = len(entries)
        message = _field(1, entries)
        header = np.frombuffer(len(message).to_bytes(8, 'little'), np.uint8)  # [8]
        framing = header.tobytes() + _masked_crc(header[np.newaxis]).tobytes()
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
        records[:, -4:] = _masked_crc(records[:, 12:-4])
        return records


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + _varint(value >> 7)


@functools.cache
def _crc_tables() -> tuple[np.ndarray, np.ndarray]:
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = (table >> 1) ^ (table & 1) * np.uint32(_CRC32C_POLYNOMIAL)
    return table[table & 0xFFFF] ^ (table >> 16), table


def _masked_crc(messages: np.ndarray) -> np.ndarray:
    """TFRecord's checksums (CRC-32C, rotated and offset) of uint8 [k, n >= 4], as uint8 [k, 4]."""
    low, high = _crc_tables()
    count, size = messages.shape
    padding = -size % 4
    # The checksum starts from all ones, which is starting from zero with the first four bytes
    # inverted; and zeros in front do not move a zero, so that whole words can be taken.
    padded = np.zeros((count, padding + size), np.uint8)
    padded[:, padding:] = messages
    padded[:, padding : padding + 4] ^= 255
    checksum = np.zeros(count, np.uint32)
    for word in np.ascontiguousarray(padded.view('<u4').T):  # [n / 4, k]
        checksum ^= word
        # Every index is in range: 'clip' only spares NumPy from testing that.
        first, second = checksum & 0xFFFF, checksum >> 16
        checksum = low.take(first, mode='clip') ^ high.take(second, mode='clip')
    checksum = ~checksum
    masked = (checksum >> 15 | checksum << 17) + np.uint32(0xA282EAD8)
    return masked.astype('<u4')[:, np.newaxis].view(np.uint8)  # [k, 4]
