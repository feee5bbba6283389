// RMS over half cycles and cycles, and the length of ten cycles. Squares are summed between the
// boundaries of td_zero_cross, the sample on the boundary split by the covered fraction; the sum
// is divided by the interpolated length, so the result does not depend on how many samples fall
// into the window.
//
// The divisions run in the background; everything is published together with the valid_i that
// comes PublishSamples after the boundary (pulse publish_o in the same clock as the new values), so
// what is seen at which sample does not depend on the number of clocks a sample.
//   u_half_o    RMS of the half cycle, 1/16 code           urms_o  of the last two half cycles
//   urms_valid_o  urms_o covers two half cycles without a gap; falls at the crossing ending a loss
//   period10_o  length of the last 20 half cycles, 1/65536 sample, 0 until there are 20 in a row
//   period_o    last full cycle between crossings, rounded to samples; keeps its value when a
//               cycle is outside MinPeriod..MaxPeriod
//   cross_*_o   boundary that ended the half cycle (see td_zero_cross)
// Limits: 64 clocks a sample and boundaries >= 24 samples apart (the background takes < 200 clocks).
module td_half_cycle #(
  parameter int SampleWidth    = 24,
  parameter int PublishSamples = 16,
  parameter int MinPeriod      = 114,  // 70 Hz at 8 kS/s
  parameter int MaxPeriod      = 188,  // 42.5 Hz at 8 kS/s
  parameter int FirstPeriod    = 160   // until a cycle was seen
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic        [47:0]            index_i,     // number of the sample
  input  logic                          step_i,      // the square is good, and so are the four below
  input  logic                          boundary_i,
  input  logic                          crossing_i,
  input  logic                          restart_i,
  input  logic        [15:0]            fraction_i,
  input  logic        [2*SampleWidth-1:0] square_i,  // of the sample to be split, from the shared multiplier
  output logic                          busy_o,
  output logic                          publish_o,
  output logic        [31:0]            count_o,
  output logic        [27:0]            u_half_o,
  output logic        [27:0]            urms_o,
  output logic                          urms_valid_o,
  output logic        [31:0]            period10_o,
  output logic        [7:0]             period_o,
  output logic        [47:0]            cross_index_o,
  output logic        [15:0]            cross_fraction_o,
  // For blocks that measure over the same windows.
  output logic        [24:0]            half_length_o,    // of the last half cycle, 1/65536 sample
  output logic        [24:0]            former_length_o,  // of the one before
  output logic                          pair_o,           // the two are neighbours
  output logic                          publishing_o,     // publish_o comes with the next clock
  output logic                          whole_o           // with it: urms_o will be renewed
);
  localparam int SquareWidth = 2 * SampleWidth;  // 47 bits used
  localparam int SumWidth = 55;  // two half cycles of at most 255 full-scale squares
  localparam int LengthWidth = 25;  // two half cycles, 1/65536 sample
  localparam int MeanWidth = 56;  // mean square x 256
  localparam int RootWidth = 28;

  // ---- f x square: three digits of 16 bits, the lowest first, by one multiplier ---------------------
  logic [SquareWidth-1:0] square_q;
  logic squared_q, boundary_q, crossing_q, restart_q;
  logic [15:0] fraction_q, digit, part_low_q;
  logic [7:1]             step_q;    // clocks behind squared_q at a boundary, one-hot
  logic [31:0]            product_q;
  logic [32:0]            part_high_q;
  logic [SquareWidth-1:0] part;      // complete with step 4
  logic begins, add, split;

  assign begins = squared_q && boundary_q;
  assign add    = squared_q && !boundary_q;
  assign split  = step_q[5];
  assign part   = {part_high_q[31:0], part_low_q};
  assign busy_o = squared_q || step_q != '0;

  always_comb begin
    digit = square_q[15:0];
    if (step_q[1]) digit = square_q[31:16];
    else if (step_q[2]) digit = square_q[47:32];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      square_q   <= '0;
      squared_q  <= 1'b0;
      boundary_q <= 1'b0;
      crossing_q <= 1'b0;
      restart_q  <= 1'b0;
      fraction_q <= '0;
      step_q     <= '0;
    end else begin
      squared_q <= step_i;
      step_q    <= {step_q[6:1], begins};
      if (step_i) begin
        square_q   <= square_i;
        boundary_q <= boundary_i;
        crossing_q <= crossing_i;
        restart_q  <= restart_i;
        fraction_q <= fraction_i;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (begins || step_q[1] || step_q[2]) product_q <= 32'(digit) * 32'(fraction_q);
    if (begins) part_high_q <= '0;
    else if (step_q[1] || step_q[2] || step_q[3]) begin  // rounded in step 1, to which nothing comes over
      part_high_q <= 33'(product_q) + 33'({part_high_q[32], part_high_q[31] || step_q[1], part_high_q[30:16]});
    end
    if (step_q[3]) part_low_q <= part_high_q[15:0];
  end

  // ---- sums between boundaries: one adder, whose sum is closed, cleared and begun anew at one -------
  logic [SumWidth-1:0] running_q, closed_q, former_q, change;
  logic minus;

  assign minus  = step_q[7];
  assign change = SumWidth'(step_q[4] || minus ? part : square_q) ^ {SumWidth{minus}};

  always_ff @(posedge clk_i) begin
    if (!rst_ni || split) begin
      running_q <= '0;
    end else if (add || step_q[4] || step_q[6] || minus) begin
      running_q <= SumWidth'(({running_q, 1'b1} + {change, minus}) >> 1);
    end
  end

  // ---- places of the last 32 crossings, and lengths: one difference a clock -------------------------
  logic [31:0] place, place_q;  // boundary, 1/65536 sample, wraps: only differences count
  logic [31:0]            ring_q [32];
  logic [31:0]            apart;           // from an earlier boundary to this one
  logic [47:0]            before_q;        // number of the sample before this one
  logic [4:0] ring_next_q, oldest;
  logic [4:0] in_row_q, in_row_next;  // half cycles in a row between crossings, up to 20
  logic [31:0] period10_q;
  logic [LengthWidth-1:0] closed_length_q, former_length_q;
  logic                   after_gap_q;  // the last boundary closed no half cycle
  logic                   pair_q;       // closed_q and former_q are neighbours
  logic                   real_q;       // the last boundary closed a half cycle between crossings
  logic                   cycle_q;      // closed_q and former_q both are such

  assign place       = {before_q[15:0], fraction_q};
  assign apart       = place - (split ? place_q : ring_q[oldest]);
  assign oldest      = ring_next_q - 5'd20;
  assign in_row_next = !crossing_q || restart_q ? 5'd0 : (in_row_q == 5'd20 ? 5'd20 : in_row_q + 1'b1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      before_q        <= '0;
      closed_q        <= '0;
      former_q        <= '0;
      place_q         <= '0;
      closed_length_q <= '0;
      former_length_q <= '0;
      after_gap_q     <= 1'b1;
      pair_q          <= 1'b0;
      real_q          <= 1'b0;
      cycle_q         <= 1'b0;
      ring_next_q     <= '0;
      in_row_q        <= '0;
      period10_q      <= '0;
    end else begin
      if (add || split) before_q <= index_i;
      if (step_q[4]) period10_q <= in_row_next == 5'd20 ? apart : '0;
      if (split) begin
        place_q     <= place;
        after_gap_q <= restart_q;
        real_q      <= crossing_q && !restart_q;
        ring_next_q <= ring_next_q + 1'b1;
        in_row_q    <= in_row_next;
        if (!restart_q) begin
          closed_q        <= running_q;
          closed_length_q <= LengthWidth'(apart);
          former_q        <= closed_q;
          former_length_q <= closed_length_q;
          pair_q          <= !after_gap_q;
          cycle_q         <= crossing_q && real_q;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (split) ring_q[ring_next_q] <= place;
  end

  // ---- background: mean square and root, half cycle first, then the cycle ---------------------------
  typedef enum logic [1:0] {
    Rest,
    DivideHalf,
    DivideCycle
  } job_e;
  job_e job_q;
  logic begin_q, start_q, done;
  logic [SumWidth-1:0]    more_q;         // what the cycle has more than the half cycle, as the length below
  logic [LengthWidth-1:0] more_length_q;  // one clock behind job_q
  logic [SumWidth-1:0]    sum;
  logic [LengthWidth-1:0] length;
  logic [RootWidth-1:0] root, half_root_q, cycle_root_q;

  assign sum    = closed_q + more_q;
  assign length = closed_length_q + more_length_q;

  always_ff @(posedge clk_i) begin
    if (job_q == DivideHalf) begin
      more_q        <= '0;
      more_length_q <= '0;
    end else begin
      more_q        <= former_q;
      more_length_q <= former_length_q;
    end
  end

  td_divide_root #(
    .HighWidth(SumWidth - 32),
    .LowWidth (32),
    .DivWidth (LengthWidth),
    .QuotWidth(MeanWidth),
    .RootWidth(RootWidth)
  ) u_rms (
    .clk_i,
    .rst_ni,
    .start_i   (start_q),
    .steps_i   (6'(MeanWidth)),  // sum 2^24 / length
    .size_i    (sum),
    .divisor_i (length),
    .done_o    (done),
    .quotient_o(),
    .root_o    (root)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      job_q        <= Rest;
      begin_q      <= 1'b0;
      start_q      <= 1'b0;
      half_root_q  <= '0;
      cycle_root_q <= '0;
    end else begin
      begin_q <= 1'b0;
      start_q <= begin_q;
      if (split && !restart_q) begin
        job_q   <= DivideHalf;
        begin_q <= 1'b1;
      end else if (done && job_q == DivideHalf) begin
        half_root_q <= root;
        job_q       <= pair_q ? DivideCycle : Rest;
        begin_q     <= pair_q;
      end else if (done && job_q == DivideCycle) begin
        cycle_root_q <= root;
        job_q        <= Rest;
      end
    end
  end

  // ---- publication at a fixed sample ------------------------------------------------------------
  localparam int WaitWidth = $clog2(PublishSamples + 1);
  logic [WaitWidth-1:0]   wait_q;
  logic                   publish_q;
  logic [47:0]            end_index_q;
  logic [15:0]            end_fraction_q;
  logic [8:0]             samples_q;  // of the cycle, rounded: right once the background is at rest
  assign publish_o     = publish_q;
  assign publishing_o  = valid_i && wait_q == WaitWidth'(1) && !(split && !restart_q);
  assign whole_o       = pair_q && !after_gap_q;

  assign half_length_o   = closed_length_q;
  assign former_length_o = former_length_q;
  assign pair_o          = pair_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q           <= '0;
      publish_q        <= 1'b0;
      end_index_q      <= '0;
      end_fraction_q   <= '0;
      samples_q        <= '0;
      count_o          <= '0;
      u_half_o         <= '0;
      urms_o           <= '0;
      urms_valid_o     <= 1'b0;
      period10_o       <= '0;
      period_o         <= 8'(FirstPeriod);
      cross_index_o    <= '0;
      cross_fraction_o <= '0;
    end else begin
      publish_q <= 1'b0;
      samples_q <= length[LengthWidth-1:16] + 9'(length[15]);
      if (split && restart_q) urms_valid_o <= 1'b0;
      if (split && !restart_q) begin
        wait_q         <= WaitWidth'(PublishSamples);
        end_index_q    <= before_q;
        end_fraction_q <= fraction_q;
      end else if (valid_i && wait_q != '0) begin
        wait_q <= wait_q - 1'b1;
        if (wait_q == WaitWidth'(1)) begin
          publish_q        <= 1'b1;
          count_o          <= count_o + 1'b1;
          u_half_o         <= half_root_q;
          period10_o       <= period10_q;
          cross_index_o    <= end_index_q;
          cross_fraction_o <= end_fraction_q;
          if (pair_q && !after_gap_q) begin
            urms_o       <= cycle_root_q;
            urms_valid_o <= 1'b1;
          end
          if (cycle_q && !after_gap_q && samples_q >= 9'(MinPeriod) && samples_q <= 9'(MaxPeriod)) begin
            period_o <= 8'(samples_q);
          end
        end
      end
    end
  end
endmodule
