"""Writes checkpoints as HDF5, as simulations do: a file each, fsync, rename, fsync of the folder.

For each line of JSON on stdin: `source`, a file with the bytes of the state; `arrays`, their names, types and lengths in it;
`target`, the file to make; `gzip`, whether to shuffle and compress. Reading the state is not counted. Answers with a line of
JSON: seconds by the clock and of CPU.
"""
import json, os, sys, time
import h5py, numpy as np

GZIP = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def save(arrays, target, options):
    with h5py.File(target + ".new", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **options)
    sync(target + ".new")
    os.rename(target + ".new", target)
    sync(os.path.dirname(target))


for line in sys.stdin:
    asked = json.loads(line)
    with open(asked["source"], "rb") as file:
        arrays = {name: np.fromfile(file, kind, length) for name, kind, length in asked["arrays"]}
    began, cpu = time.perf_counter(), time.process_time()
    save(arrays, asked["target"], GZIP if asked["gzip"] else {})
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    print(json.dumps(took), flush=True)
