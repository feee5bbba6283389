"""A grid simulator as a HELICS federate: ``python helics_grid.py BROKER MOVES.json`` prints what it heard."""

import json
import sys
from pathlib import Path

import helics


def main(broker, moves):
    """Publish each move at its time; listen to what the head end believes."""
    info = helics.helicsCreateFederateInfo()
    info.core_type = "zmq"
    info.core_init = f"--federates=1 --broker={broker}"
    federate = helics.helicsCreateValueFederate("grid", info)
    ways = {
        float: (helics.HELICS_DATA_TYPE_DOUBLE, helics.helicsPublicationPublishDouble),
        bool: (helics.HELICS_DATA_TYPE_BOOLEAN, helics.helicsPublicationPublishBoolean),
        str: (helics.HELICS_DATA_TYPE_STRING, helics.helicsPublicationPublishString),
    }
    made = {}
    for name, value in {name: value for _, inputs in moves for name, value in inputs.items()}.items():
        made[name] = helics.helicsFederateRegisterGlobalPublication(federate, f"grid/{name}", ways[type(value)][0], "")
        helics.helicsPublicationAddTarget(made[name], f"teiden/{name}")
    believed = helics.helicsFederateRegisterSubscription(federate, "teiden/meters_believed_out", "")
    heard = []
    helics.helicsFederateEnterExecutingMode(federate)
    for t_ns, inputs in moves:
        now_s = -1.0
        while now_s < t_ns / 1e9:
            now_s = helics.helicsFederateRequestTime(federate, t_ns / 1e9)
            if helics.helicsInputIsUpdated(believed):
                heard.append((now_s, helics.helicsInputGetInteger(believed)))
        for name, value in inputs.items():
            ways[type(value)][1](made[name], value)
    helics.helicsFederateDisconnect(federate)
    print(json.dumps(heard))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
