"""A heat solver that checkpoints every 100th iteration; prints the time of each iteration in microseconds as JSON.

The arrays and the five-point stencil are those of iterations-node.js, in numpy. What is saved is the solver, as the
programs do that these libraries were made for: to a file, fsync, rename. With h5py it is the array and the step.
"""
import importlib, json, os, sys, time
import numpy as np

way, steps, every, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
library = importlib.import_module(way.split(",")[0]) if way != "none" else None
options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if "gzip" in way else {}
SIDE = 100


class Solver:
    def __init__(self):
        cells = np.arange(SIDE * SIDE, dtype=np.float64)
        self.u = (20 + 5 * np.sin(cells / 77)).reshape(SIDE, SIDE)
        self.step = 0

    def advance(self):
        u, n = self.u, self.u.copy()
        n[1:-1, 1:-1] += 0.2 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
        self.u = n
        self.step += 1
        n[50, 50] = 20 + 10 * np.sin(self.step / 1000)


def save(solver):
    path = os.path.join(folder, "checkpoint")
    if way.startswith("h5py"):
        with library.File(path + ".new", "w") as file:
            file.create_dataset("u", data=solver.u, **options)
            file.attrs["step"] = solver.step
    else:
        with open(path + ".new", "wb") as file:
            library.dump(solver, file, protocol=5)
    with open(path + ".new", "rb") as file:
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


solver = Solver()
for _ in range(500):
    solver.advance()
times = []
for step in range(1, steps + 1):
    began = time.perf_counter_ns()
    solver.advance()
    if library and step % every == 0:
        save(solver)
    times.append((time.perf_counter_ns() - began) / 1000)
json.dump(times, sys.stdout)
