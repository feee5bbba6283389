"""When each module of the front-end has something to do: the compiled model leaves its registers alone otherwise.

Of the 64 clocks of a sample most modules need a few. `skipping` puts a condition on a module's clock, in a copy of
its text that only the compiled model sees; Verilator then passes by the registers and the logic behind them.
A condition may be true too often, which costs time, but must be true in each clock that changes what the module
shows outside, now or later. Two rules keep the conditions short:

- A write on the bus, and reset, wake every module for 31 clocks: conditions need not look at settings.
- A register that is always written again before it is used may miss clocks.

`tests/hdl/test_wakes.py` compares the model with one that skips nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

# By module. One that is not here gets every clock: td_trigger counts them.
WAKES = {
    "td_account": "closed_i || gap_i || due_q || at_q != 7'd1 || word_q != '0 || go2_q || go3_q || write_o"
    " || publishing_i",
    "td_capture": "entry || writing_q || write_q || suspect_i || event_i || edge_i || pending_q != '0 || triggered"
    " || stop || arm_q || done_q || send_q != Idle || req_i"
    " || ack_q != '0 || oldest_q != place_q - count_q[PlaceWidth-1:0]",
    "td_channels": "slot_i < 6'd19",
    "td_control": "valid_i || clock_q != '0 || publish_i || minute_i || sync_q != '0 || former_q || crossing_event_q"
    " || crossing_lost_o || event_o",
    "td_divide": "start_i || left_q != '0 || done_q",
    "td_divide_root": "start_i || left_q != '0 || pair_q || last_q || done_o",
    "td_event_fifo": "push_i || waiting_o != fill",
    "td_frontend": "valid_i || valid_q || event_in || result_write || publishing",
    "td_fundamental": "valid_i || point_i || run_q || on_q != '0 || close_q || closed_q || job_q != Rest || write_q"
    " || req_i || ack_q",
    "td_guard": "valid_i || step_i || phase_q != Pace || event_q || open_q != '0 || s_awvalid_i || s_wvalid_i"
    " || s_arvalid_i || locked_write_o || unmapped_o || void_q",
    "td_half_cycle": "valid_i || step_i || squared_q || step_q != '0 || begin_q || start_q || done || publish_q",
    "td_harmonics": "(phase_q != Idle && (valid_i || point_i)) || fold_on_q != '0 || last_fold_q"
    " || phase_q == Transform || phase_q == Note || on_q != '0 || req_i || ack_q",
    "td_holdup": "step_i || code_valid_i || left_q != '0 || event_q",
    "td_intervals": "step_i || tick_i || run_q || write_q || req_i || ack_q || misuse_o",
    "td_kernel_rom": "td_resample.wakes",
    "td_last_gasp": "step_i || detected_i || event_q",
    "td_limiter": "step_i || tick_i || kind_q != '0 || duplicate_o || refused_o"
    " || above_q != (limit_q != '0 && current_q > limit_q)",
    "td_metrology": "valid_i || slot_q != '0",
    "td_multiply_signed": "start_i || busy_q || add_q || done_q",
    "td_overcurrent": "step_i || event_o",
    "td_point_product": "run_i",
    "td_power_fail": "valid_i || step_q != '0 || publish_i || kind_q != '0",
    "td_product": "start_i || run_q != '0",
    "td_pulse": "valid_i || pass_q != Rest || does_q != Rest || late_o",
    "td_quality": "publish_i || step_q != Rest || event_o",
    "td_rapid_change": "step_i || (row_q != Rest && row_q != Decide) || event_o",
    "td_regs": "s_axil_awvalid || s_axil_wvalid || s_axil_arvalid || axil_arvalid || axil_awvalid"
    " || axil_n_in_flight != '0",  # + hwset
    "td_resample": "valid_i || late_q || run_q || on_q != '0 || word_valid_i || usable || divided || point_o",
    "td_results": "publishing_i || take_energy_i || seeks || write_i || req_i || read_q || ack_o",
    "td_sqrt": "clear_i || step_i || trial_q != (root_q ^ {RootWidth{!remainder_q[RootWidth+1]}})",
    "td_sums": "slot_i == 6'd1 || slot_i == 6'd16 || write_i || read_on_q || on_q || start_o || closed_o || gap_o",
    "td_zero_cross": "valid_i || busy_q",
}

STIRRED = """\
  logic [4:0] stir_q;  // clocks for which every module is awake
  wire        stirred = stir_q != '0;
  always_ff @(edge clk_i) stir_q <= !rst_ni || s_axil_awvalid ? '1 : stir_q - 5'(stirred);
"""
CLOCK = re.compile(r"@\(posedge (clk_i|clk)\)")
HEAD = re.compile(r"^module (\w+)\b.*?^ *\);\n", re.MULTILINE | re.DOTALL)


def skipping(text: str) -> str:
    """Return a module's text with its registers clocked only in clocks it wakes for, at either edge of the clock.

    A clock is one toggle: the model has no use for an edge at which nothing happens.
    """
    head = HEAD.search(text)
    if head is None:  # a package
        return text
    if head[1] not in WAKES:
        return CLOCK.sub(r"@(edge \1)", text)
    causes = ["td_frontend.stirred", WAKES[head[1]], *re.findall(r"\bhwif_in_\w+_hwset\b", head[0])]
    declared = "  wire wakes;\n" + (STIRRED if head[1] == "td_frontend" else "")
    body = CLOCK.sub(r"@(edge \1 iff wakes)", text[head.end() :])
    body = body.replace("endmodule", f"  assign wakes = {' || '.join(causes)};\nendmodule")
    return text[: head.end()] + declared + body


def write_skipping(sources: list[Path], folder: Path) -> list[Path]:
    """Write the sources into ``folder`` as the compiled model clocks them, and return their paths in the same order."""
    folder.mkdir()
    for source in sources:
        (folder / source.name).write_text(skipping(source.read_text()))
    return [folder / source.name for source in sources]
