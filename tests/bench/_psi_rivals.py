"""What `modes.py` runs in a rival's own environment: one intersection, both roles; prints CPU seconds.

No import of ours: these environments hold the rival and nothing else.
"""

from __future__ import annotations

import sys
import time


def numbers(rows: int) -> tuple[list[str], list[str]]:
    """As `modes.numbers`."""
    return (
        [f"{1_000_000 + n:09d}" for n in range(rows)],
        [f"{1_000_000 + rows // 2 + n:09d}" for n in range(rows)],
    )


def openmined(rows: int) -> float:
    """ECDH PSI of OpenMined, raw, client learns the intersection."""
    import private_set_intersection.python as psi

    ours, theirs = numbers(rows)
    began = time.process_time()
    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(1e-9, rows, theirs, psi.DataStructure.RAW)
    response = server.ProcessRequest(client.CreateRequest(ours))
    found = client.GetIntersection(setup, response)
    assert len(found) == rows // 2
    return time.process_time() - began


def spu(rows: int) -> float:
    """RR22 of SecretFlow in two processes."""
    import multiprocessing
    import pathlib
    import resource
    import tempfile

    sides = numbers(rows)
    with tempfile.TemporaryDirectory() as folder:
        for rank, side in enumerate(sides):
            (pathlib.Path(folder) / f"in{rank}.csv").write_text("id\n" + "\n".join(side) + "\n")
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=_spu_side, args=(rank, folder)) for rank in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert all(worker.exitcode == 0 for worker in workers)
        lines = (pathlib.Path(folder) / "out0.csv").read_text().split()
        assert len(lines) == rows // 2 + 1
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spu_side(rank: int, folder: str) -> None:
    from spu import libspu, psi

    description = libspu.link.Desc()
    for party in range(2):
        description.add_party(f"id_{party}", f"127.0.0.1:{39530 + party}")
    link = libspu.link.create_brpc(description, rank)
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(protocol=psi.PsiProtocol.PROTOCOL_RR22, broadcast_result=True),
        input_params=psi.InputParams(path=f"{folder}/in{rank}.csv", selected_keys=["id"], keys_unique=True),
        output_params=psi.OutputParams(path=f"{folder}/out{rank}.csv", disable_alignment=True),
    )
    psi.psi_execute(config, link)


if __name__ == "__main__":
    print({"openmined": openmined, "spu": spu}[sys.argv[1]](int(sys.argv[2])))
