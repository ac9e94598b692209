"""Devices, memory, determinism and the distribution strategy of a job."""

import contextlib
import ctypes
import os
import pathlib
import resource
import sys

import keras
import numpy as np
import tensorflow as tf

from common.errors import UserError
from jobs import peers
from jobs.cluster import Cluster, read_cluster
from jobs.options import RunOptions

# Where version 2 and version 1 of Linux' control groups tell a container's limit.
CGROUP_LIMITS = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')


def prepare(options: RunOptions) -> None:
    """Makes operations repeatable, keeps room on the GPUs, sets the precision.

    Call once, before anything is placed on a device. Memory of a GPU is taken as needed, up to
    `options.gpu_memory_limit_mb` if there is one, so that a second job on it finds some. With
    `options.mixed_precision` layers compute in bfloat16; variables stay float32.
    """
    tf.config.experimental.enable_op_determinism()
    # A GPU's products are several times as fast with TF32.
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    keras.config.set_dtype_policy('mixed_bfloat16' if options.mixed_precision else 'float32')
    for gpu in tf.config.list_physical_devices('GPU'):
        if options.gpu_memory_limit_mb:
            limit = tf.config.LogicalDeviceConfiguration(options.gpu_memory_limit_mb)
            tf.config.set_logical_device_configuration(gpu, [limit])
        else:
            tf.config.experimental.set_memory_growth(gpu, True)


def seed_everything(seed: int) -> None:
    """Seeds initial weights and whatever else draws numbers from a global state."""
    keras.utils.set_random_seed(seed)


def make_strategy(options: RunOptions) -> tf.distribute.Strategy:
    """One device, `num_gpus` of this machine, or (with TF_CONFIG) several machines.

    Raises:
      UserError: there are fewer GPUs than asked for, TF_CONFIG is not understood, or its workers
        do not come.
    """
    cluster, num_gpus = read_cluster(), options.num_gpus
    if cluster and cluster.others:
        make = tf.distribute.MultiWorkerMirroredStrategy
        return peers.join_cluster(cluster, options.cluster_timeout_secs, make)
    if num_gpus <= 1:
        return tf.distribute.get_strategy()
    gpus = tf.config.list_logical_devices('GPU')
    # Logical CPU devices stand in for GPUs where there are none (tests).
    devices = gpus or tf.config.list_logical_devices('CPU')
    if len(devices) < num_gpus:
        raise UserError(f'--num_gpus={num_gpus}: found {len(gpus)} GPUs on this machine')
    return tf.distribute.MirroredStrategy([device.name for device in devices[:num_gpus]])


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Processes that train together."""
    return max(1, len(_workers(strategy)))


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """Which of them this is; 0 is the chief, which alone writes."""
    resolver = strategy.cluster_resolver
    return (resolver.task_id or 0) if resolver else 0


def together(strategy: tf.distribute.Strategy) -> contextlib.AbstractContextManager[None]:
    """For what all workers do at once: ends this process if another one has died, see peers."""
    return peers.watched(Cluster(_workers(strategy), worker_index(strategy)).others)


def _workers(strategy: tf.distribute.Strategy) -> list[str]:
    """host:port of the processes that train together; none without a cluster."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().as_dict().get('worker', []) if resolver else []


def from_chief(strategy: tf.distribute.Strategy, values: list[np.ndarray]) -> list[np.ndarray]:
    """What the chief passed as `values`; the other workers pass arrays of the same shapes.

    So a cluster agrees on a seed, a step or weights without sharing a file system.
    """
    if num_workers(strategy) == 1:
        return values
    is_chief = worker_index(strategy) == 0
    first_replica_only = [value if is_chief else np.zeros_like(value) for value in values]

    @tf.function
    def sum_over_workers():
        replica = tf.distribute.get_replica_context()
        # One replica of each worker speaks; adding zeros changes no bit.
        speaks = (
            replica.replica_id_in_sync_group
            % (replica.num_replicas_in_sync // num_workers(strategy))
            == 0
        )
        mine = [tf.where(speaks, value, tf.zeros_like(value)) for value in first_replica_only]
        # One by one: a list is packed into one tensor, which mixed types forbid.
        return [replica.all_reduce(tf.distribute.ReduceOp.SUM, value) for value in mine]

    with together(strategy):
        summed = strategy.run(sum_over_workers)
        return [strategy.experimental_local_results(value)[0].numpy() for value in summed]


def find_memory(options: RunOptions) -> int | None:
    """Bytes of memory that a job on this machine can have; None where nobody says.

    Of its first GPU if it computes on one. Else the machine's, or what its container or its shell
    (`ulimit -v`) allows.
    """
    if on_gpu():
        return options.gpu_memory_limit_mb << 20 or _gpu_memory()
    limits = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    for path in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # 'max': none
            limits.append(int(pathlib.Path(path).read_text(encoding='ascii')))
    return min(limits)


def _gpu_memory() -> int | None:
    """As CUDA's driver has it; TensorFlow does not tell."""
    device, total = ctypes.c_int(), ctypes.c_size_t()
    try:
        cuda = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return None
    failed = (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(device), 0)
        or cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    )
    return None if failed else total.value


def peak_memory() -> int:
    """The most bytes of the machine's memory that this process has held."""
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def on_gpu() -> bool:
    """Whether this process computes on a GPU."""
    return bool(tf.config.list_logical_devices('GPU'))
