// 128 points a tracked cycle from the samples of four channels, in windows of ten cycles (1280 points).
// A point lies anywhere between samples; it is the sum of 14 samples around it, weighed by the kernel of
// td_kernel_rom at their distances (hdl/spectrum_tables.py; docs/front-end.md states the error).
//   s = word / 8, rounded, limited to 25 bits: half codes        point = sum(s tap) / 2^17, limited likewise
// The distance between points is fixed for a window: 1/128 of the cycle as last published before it began,
// if that is within MinPeriod10..MaxPeriod10; FirstPeriod10 until there is one, with which a window begins.
//
// point_o is high for one clock with each point: place_o in the window, the values, period10_o the length of
// the window and locked_o: it was measured; all hold for 13 clocks more. A sample makes up to two points, 35 and
// 63 clocks after valid_i, from the samples before it: they lie 8 to 7 samples before it.
// Limits: 64 clocks a sample, the words of a sample before the next valid_i; publish_i within 20 clocks of
// valid_i, before or after; WordWidth of 28 or more.
module td_resample #(
  parameter int WordWidth     = 31,
  parameter int FirstPeriod10 = 1600 * 65536,  // 1/65536 sample
  parameter int MinPeriod10   = 1140 * 65536,
  parameter int MaxPeriod10   = 1880 * 65536
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        valid_i,     // a new sample
  input  logic                        word_valid_i,
  input  logic        [1:0]           word_channel_i,  // u1, i1, u2, i2
  input  logic signed [WordWidth-1:0] word_i,      // of that sample, 1/16 code
  input  logic                        publish_i,   // a new period10_i, once a sample at most
  input  logic        [31:0]          period10_i,  // length of ten cycles, 1/65536 sample; 0: none
  output logic                        busy_o,
  output logic                        point_o,
  output logic        [10:0]          place_o,     // 0 to 1279
  output logic signed [24:0]          u1_o,        // half codes
  output logic signed [24:0]          i1_o,
  output logic signed [24:0]          u2_o,
  output logic signed [24:0]          i2_o,
  output logic        [26:0]          period10_o,
  output logic                        locked_o
);
  localparam int Taps = 14;
  localparam int Half = Taps / 2;
  localparam int AccWidth = 46;  // 25 x 18 bits, taps of less than 2 in sum
  localparam logic signed [AccWidth-1:0] RoundUp = AccWidth'(1) <<< 16;  // half a code of points, in a sum
  localparam logic [10:0] LastPlace = 11'd1279;
  localparam logic [4:0] LastSlot = 5'(2 * Taps - 1);

  function automatic logic signed [24:0] rounded(input logic signed [WordWidth-1:0] word);
    logic signed [WordWidth-3:0] all;
    all     = (WordWidth-2)'(((WordWidth+1)'(word) + (WordWidth+1)'(4)) >>> 3);
    rounded = all[WordWidth-3:24] == {(WordWidth-26){all[WordWidth-3]}}
            ? all[24:0] : {all[WordWidth-3], {24{!all[WordWidth-3]}}};
  endfunction

  // ---- length of the next window ------------------------------------------------------------------
  logic usable, divided, fresh_q, waiting_q, locked_q;
  logic [26:0] new_q, next_period_q, period_q;  // all that may be used are shorter than 2048 samples
  logic [32:0] quotient;
  logic [32:0] next_step_q, step_q;  // 2^-32 sample

  assign usable = publish_i && period10_i >= 32'(MinPeriod10) && period10_i <= 32'(MaxPeriod10);

  td_divide #(
    .DivWidth (3),
    .QuotWidth(33)
  ) u_step (
    .clk_i,
    .rst_ni,
    .start_i   (usable),
    .high_i    (period10_i[27:25]),  // 256 times the period is below 5 x 2^33
    .low_i     ({period10_i[24:0], 8'd0}),
    .divisor_i (3'd5),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  // ---- samples: two lanes of two channels, 16 samples each ------------------------------------------
  logic signed [24:0] lane_u_q [32];  // u1, u2
  logic signed [24:0] lane_i_q [32];  // i1, i2
  logic [3:0] now_q, filled_q;  // where the newest sample's words go; samples before it
  logic late_q, started_q, ready;

  always_ff @(posedge clk_i) begin
    if (word_valid_i && !word_channel_i[0]) lane_u_q[{word_channel_i[1], now_q}] <= rounded(word_i);
    if (word_valid_i && word_channel_i[0]) lane_i_q[{word_channel_i[1], now_q}] <= rounded(word_i);
  end

  assign ready = late_q && filled_q == 4'(Taps);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      now_q     <= '0;
      filled_q  <= '0;
      late_q    <= 1'b0;
      started_q <= 1'b0;
    end else begin
      late_q <= valid_i;
      if (valid_i) begin
        now_q <= now_q + 4'd1;
        started_q <= 1'b1;
        if (started_q && filled_q != 4'(Taps)) filled_q <= filled_q + 4'd1;
      end
    end
  end

  // ---- points: when and where ----------------------------------------------------------------------
  logic [33:0] due_q, due_next;  // of the next point, behind the sample 8 before the newest; 2^-32 sample
  logic [10:0] place_q;
  logic restart, go, again, issue, take;
  logic run_q;  // taps of a point are being issued
  logic [4:0] slot_d, slot_q;  // tap and lane half of it
  logic [15:0] mu_d, mu_q;
  logic [10:0] point_place_q;

  assign restart  = ready && waiting_q && !locked_q;
  assign go       = ready && (restart || due_q[33:32] == 2'd0);
  assign again    = run_q && slot_q == LastSlot && due_q[33:32] == 2'd0;
  assign issue    = go || again;
  assign take     = waiting_q && (restart || (issue && place_q == '0));
  assign slot_d   = run_q && slot_q != LastSlot ? slot_q + 5'd1 : 5'd0;
  assign mu_d     = issue ? due_q[31:16] : mu_q;
  assign due_next = due_q + 34'(take ? next_step_q : step_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fresh_q       <= 1'b0;
      waiting_q     <= 1'b0;
      locked_q      <= 1'b0;
      new_q         <= '0;
      next_period_q <= '0;
      period_q      <= 27'(FirstPeriod10);
      next_step_q   <= '0;
      step_q        <= 33'((64'(FirstPeriod10) << 8) / 64'd5);
      due_q         <= '0;
      place_q       <= '0;
      run_q         <= 1'b0;
      slot_q        <= '0;
      mu_q          <= '0;
      point_place_q <= '0;
    end else begin
      if (usable) new_q <= period10_i[26:0];
      if (divided) fresh_q <= 1'b1;
      if (valid_i && fresh_q) begin  // at a sample, so that clocks do not matter
        fresh_q       <= 1'b0;
        waiting_q     <= 1'b1;
        next_period_q <= new_q;
        next_step_q   <= quotient;
      end else if (take) begin
        waiting_q <= 1'b0;
      end
      if (take) begin
        period_q <= next_period_q;
        step_q   <= next_step_q;
        locked_q <= 1'b1;
      end
      if (issue) begin
        due_q         <= due_next;
        place_q       <= restart ? 11'd1 : (place_q == LastPlace ? 11'd0 : place_q + 11'd1);
        point_place_q <= restart ? 11'd0 : place_q;
      end else if (ready || (run_q && slot_q == LastSlot)) begin  // nothing more at this sample
        due_q <= due_q - (34'd1 << 32);
      end
      if (valid_i && !locked_q && (fresh_q || waiting_q)) due_q <= '0;  // a restart, if there are samples enough
      run_q  <= issue || (run_q && slot_q != LastSlot);
      slot_q <= slot_d;
      mu_q   <= mu_d;
    end
  end

  // ---- taps: distance -> kernel -> interpolated tap, one a clock --------------------------------------
  logic second, behind;  // half of the lane; the sample lies behind the point
  logic [3:0] tap, sample_place;
  logic [10:0] part;
  logic signed [17:0] value, value1_q;
  logic signed [13:0] slope, slope1_q;
  logic signed [11:0] part_q;
  logic signed [25:0] rise_q;
  logic signed [17:0] value_q, tap_q;
  logic [4:0] from1_q, from2_q;  // place in a lane
  logic signed [24:0] su_q, si_q;
  logic signed [42:0] mu_u_q, mu_i_q;  // products
  logic signed [AccWidth-1:0] acc_u_q, acc_i_q;
  logic [4:1] first_q;  // of the stages, as the three below
  logic [5:1] on_q, last_q, second_q;

  function automatic logic [3:0] tap_of(input logic [4:0] slot);
    tap_of = slot >= 5'(Taps) ? 4'(slot - 5'(Taps)) : 4'(slot);
  endfunction

  function automatic logic [8:0] near(input logic [3:0] at, input logic [5:0] phase);  // whole samples, phase
    near = at >= 4'(Half) ? {3'(at - 4'(Half)), ~phase} : {3'(4'(Half - 1) - at), phase};
  endfunction

  assign second       = slot_q >= 5'(Taps);
  assign tap          = tap_of(slot_q);
  assign behind       = tap >= 4'(Half);
  assign part         = {1'b0, mu_q[9:0] ^ {10{behind}}} + 11'(behind);  // 1024 - mu_q behind it
  assign sample_place = now_q - 4'(Taps) + tap;

  td_kernel_rom u_kernel (
    .clk_i,
    .address_i(near(tap_of(slot_d), mu_d[15:10])),  // a clock ahead: a memory's output is late in its clock
    .value_o  (value),
    .slope_o  (slope)
  );

  always_ff @(posedge clk_i) begin  // 1: kernel; 2: rise; 3: tap, samples; 4: products; 5: sums; 6: points
    if (!rst_ni) begin
      on_q     <= '0;
      first_q  <= '0;
      last_q   <= '0;
      second_q <= '0;
    end else begin
      on_q     <= {on_q[4:1], run_q};
      first_q  <= {first_q[3:1], tap == 4'd0};
      last_q   <= {last_q[4:1], run_q && tap == 4'(Taps - 1)};
      second_q <= {second_q[4:1], second};
    end
  end

  always_ff @(posedge clk_i) begin  // without reset: first_q loads the sums; stands still between points
    if (run_q || on_q != '0) begin
      value1_q <= value;
      slope1_q <= slope;
      part_q   <= {1'b0, part};
      from1_q  <= {second, sample_place};
      rise_q   <= slope1_q * part_q;
      value_q  <= value1_q;
      from2_q  <= from1_q;
      tap_q    <= value_q + 18'((rise_q + 26'sd512) >>> 10);
      su_q     <= lane_u_q[from2_q];
      si_q     <= lane_i_q[from2_q];
      mu_u_q   <= su_q * tap_q;
      mu_i_q   <= si_q * tap_q;
      acc_u_q  <= (first_q[4] ? RoundUp : acc_u_q) + AccWidth'(mu_u_q);
      acc_i_q  <= (first_q[4] ? RoundUp : acc_i_q) + AccWidth'(mu_i_q);
    end
  end

  // ---- points -------------------------------------------------------------------------------------
  function automatic logic signed [24:0] pointed(input logic signed [AccWidth-1:0] acc);
    logic signed [AccWidth-18:0] all;
    all     = (AccWidth-17)'(acc >>> 17);
    pointed = all[AccWidth-18:24] == {(AccWidth-41){all[AccWidth-18]}}
            ? all[24:0] : {all[AccWidth-18], {24{!all[AccWidth-18]}}};
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      point_o    <= 1'b0;
      place_o    <= '0;
      u1_o       <= '0;
      i1_o       <= '0;
      u2_o       <= '0;
      i2_o       <= '0;
      period10_o <= '0;
      locked_o   <= 1'b0;
    end else begin
      point_o <= last_q[5] && second_q[5];
      if (last_q[5] && second_q[5]) begin
        u2_o <= pointed(acc_u_q);
        i2_o <= pointed(acc_i_q);
      end else if (last_q[5]) begin
        u1_o       <= pointed(acc_u_q);
        i1_o       <= pointed(acc_i_q);
        place_o    <= point_place_q;
        period10_o <= period_q;  // the next window may begin before this point is out
        locked_o   <= locked_q;
      end
    end
  end

  assign busy_o = valid_i || late_q || run_q || on_q != '0;
endmodule
