// What becomes of a closed half cycle (closed_i, td_sums): RMS, powers and energies of both elements, in the
// background, one division at a time beside one multiplication (td_product, whenever free_i lets it) or
// root. Over one cycle (pair_i), else over the half cycle alone:
//   mean      sum 2^24 / length, towards 0: active power; reactive times 1 / sin(36 w), rounded down
//   RMS       root of sum 2^32 / length, 1/16 code
//   apparent  U I / 2^8; of both: S1 + S2, with two-element wiring (S1 + S2) sqrt(3) / 2
// 1 / sin(36 w): x = 36 w - pi/2 = (pi/2) r with r = (144 - T) / T; 1 / cos x = 1 + c1 r^2 + c2 r^4 + c3 r^6.
// Energies count |energy of the half cycle|, 2^8 squared codes x sample: active by the sign of each
// element and of the sum, reactive of the sum by quadrant and by sign, apparent S x length. They stand still
// below the no-load thresholds, compared with the powers of the cycle.
//
// Results leave as pairs of words, index_o as METER in hdl/regs/teiden_frontend.rdl has them, all of them after each
// closed_i; *_o of the sums of elements change with publishing_i (td_half_cycle), powers and RMS only if whole_i.
// Done at most 900 clocks after closed_i at 64 clocks a sample or more, before publishing_i comes.
module td_account #(
  parameter int MinPeriod = 114,  // cycles beyond are taken for this long in sin(36 w)
  parameter int MaxPeriod = 188
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,       // empty the energy of clear_place_i
  input  logic        [3:0]  clear_place_i,
  input  logic        [1:0]  mode_i,        // wiring
  input  logic        [31:0] no_load_p_i,   // 256 squared codes
  input  logic        [31:0] no_load_q_i,
  input  logic               closed_i,
  input  logic        [24:0] half_length_i,    // 1/65536 sample
  input  logic        [24:0] former_length_i,
  input  logic               pair_i,
  output logic        [3:0]  sum_o,         // which sums are wanted from td_sums
  output logic        [3:0]  energy_o,
  input  logic signed [54:0] half_i,
  input  logic signed [54:0] former_i,
  input  logic signed [54:0] energy_i,
  input  logic               free_i,        // td_product takes operands in this clock
  output logic               start_o,
  output logic signed [51:0] a_o,
  output logic signed [34:0] b_o,
  input  logic signed [80:0] product_i,     // 4 clocks after its operands
  output logic               write_low_o,
  output logic               write_high_o,
  output logic        [4:0]  index_o,
  output logic        [63:0] data_o,
  input  logic               publishing_i,
  input  logic               whole_i,
  output logic        [29:0] irms_o,
  output logic signed [63:0] p_o,
  output logic signed [63:0] q_o,
  output logic signed [63:0] s_o,
  output logic               loaded_p_o,    // the active power is above its no-load threshold
  output logic               loaded_q_o,
  output logic        [63:0] energy_forward_o,
  output logic        [63:0] energy_reverse_o,
  output logic        [63:0] energy_lagging_o,
  output logic        [63:0] energy_leading_o
);
  localparam logic [20:0] C1  = 21'd1293629;  // (pi/2)^2 / 2, 2^-20
  localparam logic [20:0] C2  = 21'd1329959;  // 5 (pi/2)^4 / 24
  localparam logic [20:0] C3  = 21'd1334494;  // 61 (pi/2)^6 / 720
  localparam logic [20:0] One = 21'd1048576;
  localparam logic [34:0] HalfRoot3 = 35'd908093;  // sqrt(3) / 2, 2^-20
  localparam int QuotWidth = 60;
  localparam int RootWidth = 30;
  localparam logic [24:0] Shortest = 25'(MinPeriod << 16);
  localparam logic [24:0] Longest  = 25'(MaxPeriod << 16);
  localparam logic [24:0] Middle   = 25'(144 << 16);

  typedef enum logic [4:0] {
    Rest, Begin, Ratio, Square, Third, Second, First, MeanQ, AskQ, TrueQ, EnergyQ, MeanP, KeepP, TotalP, TotalQ,
    Loaded, MeanSquare, Root, Apparent, Sum, Scale, SumApparent, EnergyS, Select, Size, Add, Store
  } state_e;
  state_e       state_q;
  logic         second_q;     // element 2
  logic [3:0]   next_q;       // division that follows: 0, 1 reactive, 2, 3 active, 4 to 9 squares
  logic [3:0]   energy_q;     // energy being added to

  // ---- next dividend: prepared while the division before runs ------------------------------------------
  logic [25:0]        both;
  logic [24:0]        cycle_q, off;
  logic signed [54:0] sum_q;
  logic [54:0]        size_q;
  logic               negative_q, divided_negative_q;

  // Sums of td_sums in the order of the divisions.
  function automatic logic [3:0] sum_of(input logic [3:0] division);
    unique case (division)
      4'd0: sum_of = 4'd3;
      4'd1: sum_of = 4'd8;
      4'd2: sum_of = 4'd2;
      4'd3: sum_of = 4'd6;
      4'd4: sum_of = 4'd0;
      4'd5: sum_of = 4'd1;
      4'd6: sum_of = 4'd4;
      4'd7: sum_of = 4'd5;
      4'd8: sum_of = 4'd7;
      default: sum_of = 4'd9;
    endcase
  endfunction

  assign both = {1'b0, half_length_i} + {1'b0, pair_i ? former_length_i : half_length_i};
  assign off  = cycle_q > Middle ? cycle_q - Middle : Middle - cycle_q;

  always_ff @(posedge clk_i) begin
    sum_q      <= half_i + (pair_i ? former_i : half_i);
    size_q     <= sum_q[54] ? 55'(-sum_q) : 55'(sum_q);
    negative_q <= sum_q[54];
    sum_o      <= sum_of(next_q);
  end

  // ---- serial arithmetic --------------------------------------------------------------------------------
  logic                 divide, first, take, divided, ready_q, rooted, squares;
  logic [86:0]          dividend;
  logic [QuotWidth-1:0] quotient;
  logic [RootWidth-1:0] root;
  logic signed [51:0]   mean_q;

  assign first    = state_q == Begin;
  assign take     = ready_q && (state_q == MeanQ || state_q == MeanP || state_q == MeanSquare);
  assign divide   = first || (state_q == Ratio && ready_q) || (take && next_q != 4'd10);
  assign squares  = next_q >= 4'd4;
  assign dividend = first ? 87'(off) << 20 : (squares ? {size_q, 32'd0} : {8'd0, size_q, 24'd0});

  td_divide #(
    .DivWidth (26),
    .QuotWidth(QuotWidth)
  ) u_divide (
    .clk_i,
    .rst_ni,
    .start_i   (divide),
    .high_i    (26'(dividend >> QuotWidth)),
    .low_i     (dividend[QuotWidth-1:0]),
    .divisor_i (first ? {1'b0, cycle_q} : both),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  td_sqrt #(
    .RootWidth(RootWidth)
  ) u_root (
    .clk_i,
    .rst_ni,
    .start_i   (take && state_q == MeanSquare),
    .radicand_i(quotient),
    .done_o    (rooted),
    .root_o    (root)
  );

  // ---- multiplication: asked for, begun when the multiplier is free, answered 4 clocks later ---------------
  logic               ask_q, answered;
  logic [3:1]         wait_q;
  logic signed [51:0] a_q;
  logic signed [34:0] b_q;
  logic signed [60:0] answer;  // most products are wanted over 2^20

  assign start_o  = ask_q && free_i;
  assign a_o      = start_o ? a_q : '0;
  assign b_o      = start_o ? b_q : '0;
  assign answer   = product_i[80:20];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) {answered, wait_q} <= '0;
    else         {answered, wait_q} <= {wait_q, start_o};
  end

  // ---- energies -----------------------------------------------------------------------------------------
  logic [71:0]        energies_q [16];
  logic [71:0]        total_q;
  logic signed [54:0] energy1_q, energy2_q, energy_p_q, energy_u_q;  // of the half cycle: active of each element, sums
  logic signed [54:0] selected, selected_q;
  logic [54:0]        amount_q;
  logic [54:0]        energy_s_q;
  logic               counts, counts_q, loaded_p_q, loaded_q_q;

  always_comb begin  // 0 to 3 active of the elements, 4 to 7 quadrants, 8 apparent, 9 to 12 of the sums by sign
    unique case (energy_q)
      4'd0: begin selected = energy1_q; counts = !energy1_q[54] && loaded_p_q; end
      4'd1: begin selected = energy1_q; counts = energy1_q[54] && loaded_p_q; end
      4'd2: begin selected = energy2_q; counts = !energy2_q[54] && loaded_p_q; end
      4'd3: begin selected = energy2_q; counts = energy2_q[54] && loaded_p_q; end
      4'd4: begin selected = energy_u_q; counts = !energy_p_q[54] && !energy_u_q[54] && loaded_q_q; end
      4'd5: begin selected = energy_u_q; counts = energy_p_q[54] && !energy_u_q[54] && loaded_q_q; end
      4'd6: begin selected = energy_u_q; counts = energy_p_q[54] && energy_u_q[54] && loaded_q_q; end
      4'd7: begin selected = energy_u_q; counts = !energy_p_q[54] && energy_u_q[54] && loaded_q_q; end
      4'd8: begin selected = energy_s_q; counts = loaded_p_q || loaded_q_q; end
      4'd9: begin selected = energy_p_q; counts = !energy_p_q[54] && loaded_p_q; end
      4'd10: begin selected = energy_p_q; counts = energy_p_q[54] && loaded_p_q; end
      4'd11: begin selected = energy_u_q; counts = !energy_u_q[54] && loaded_q_q; end
      default: begin selected = energy_u_q; counts = energy_u_q[54] && loaded_q_q; end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Select) begin
      selected_q <= selected;
      counts_q   <= counts;
    end
    if (state_q == Size) amount_q <= selected_q[54] ? 55'(-selected_q) : 55'(selected_q);
    if (state_q == Add) total_q <= energies_q[energy_q] + (counts_q ? 72'(amount_q) : 72'd0);
    if (clear_i)               energies_q[clear_place_i] <= '0;
    else if (state_q == Store) energies_q[energy_q] <= total_q;
  end

  // ---- steps --------------------------------------------------------------------------------------------
  logic               joint;           // the sums take in element 2
  logic        [20:0] square_q, series_q;
  logic        [2:0]  root_q;          // u1, i1, u2, i2, line, common
  logic signed [63:0] p_q, q_q, s_q, apparent;
  logic        [55:0] power_size_q;  // 256 squared codes
  logic        [29:0] u_rms_q, irms_q;
  logic        [63:0] forward_q, reverse_q, lagging_q, leading_q;

  assign joint    = mode_i != 2'd0;
  assign apparent = 64'(product_i[80:8]);
  assign energy_o = state_q == KeepP ? (second_q ? 4'd6 : 4'd2) : (second_q ? 4'd8 : 4'd3);

  function automatic logic signed [63:0] joined(input logic signed [63:0] former, input logic signed [63:0] value);
    joined = !second_q ? value : (joint ? former + value : former);
  endfunction

  function automatic logic [55:0] size(input logic signed [63:0] power);
    size = 56'((power[63] ? -power : power) >> 8);
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Rest;
      ask_q   <= 1'b0;
      ready_q <= 1'b0;
    end else begin
      if (start_o) ask_q <= 1'b0;
      ready_q <= divided || (ready_q && !take && state_q != Ratio);
      if (divide) divided_negative_q <= negative_q;
      if (take && next_q != 4'd10) next_q <= next_q + 1'b1;
      if (state_q == Ratio && ready_q) next_q <= 4'd1;
      unique case (state_q)
        Rest: begin
          next_q   <= 4'd0;
          root_q   <= 3'd0;
          energy_q <= 4'd0;
          second_q <= 1'b0;
          if (closed_i) begin
            state_q <= Begin;
            cycle_q <= both < 26'(Shortest) ? Shortest : (both > 26'(Longest) ? Longest : both[24:0]);
          end
        end
        Begin: state_q <= Ratio;
        Ratio: if (ready_q) begin
          state_q <= Square;
          ask_q   <= 1'b1;
          a_q     <= 52'(quotient[20:0]);
          b_q     <= 35'(quotient[20:0]);
        end
        Square: if (answered) begin
          state_q  <= Third;
          square_q <= answer[20:0];
          ask_q    <= 1'b1;
          a_q      <= 52'(answer[20:0]);
          b_q      <= 35'(C3);
        end
        Third: if (answered) begin
          state_q <= Second;
          ask_q   <= 1'b1;
          a_q     <= 52'(square_q);
          b_q     <= 35'(C2 + answer[20:0]);
        end
        Second: if (answered) begin
          state_q <= First;
          ask_q   <= 1'b1;
          b_q     <= 35'(C1 + answer[20:0]);
        end
        First: if (answered) begin
          state_q  <= MeanQ;
          series_q <= One + answer[20:0];
        end
        MeanQ: if (take) begin
          state_q <= AskQ;
          mean_q  <= divided_negative_q ? -(52'(quotient)) : 52'(quotient);
        end
        AskQ: begin
          state_q <= TrueQ;
          ask_q   <= 1'b1;
          a_q     <= mean_q;
          b_q     <= 35'(series_q);
        end
        TrueQ: if (answered) begin
          state_q <= EnergyQ;
          q_q     <= joined(q_q, 64'(answer));
          ask_q   <= 1'b1;
          a_q     <= 52'(energy_i);
        end
        EnergyQ: if (answered) begin
          state_q    <= second_q ? MeanP : MeanQ;
          second_q   <= !second_q;
          energy_u_q <= 55'(joined(64'(energy_u_q), 64'(answer)));
        end
        MeanP: if (take) begin
          state_q <= KeepP;
          mean_q  <= divided_negative_q ? -(52'(quotient)) : 52'(quotient);
        end
        KeepP: begin
          state_q  <= second_q ? TotalP : MeanP;
          second_q <= !second_q;
          p_q      <= joined(p_q, 64'(mean_q));
          if (second_q) energy2_q <= energy_i;
          else          energy1_q <= energy_i;
        end
        TotalP: begin
          state_q      <= TotalQ;
          energy_p_q   <= joint ? energy1_q + energy2_q : energy1_q;
          power_size_q <= size(p_q);
        end
        TotalQ: begin
          state_q      <= Loaded;
          loaded_p_q   <= power_size_q >= 56'(no_load_p_i);
          power_size_q <= size(q_q);
        end
        Loaded: begin
          state_q    <= MeanSquare;
          loaded_q_q <= power_size_q >= 56'(no_load_q_i);
        end
        MeanSquare: if (take) state_q <= Root;
        Root: if (rooted) begin
          root_q  <= root_q + 1'b1;
          state_q <= root_q == 3'd5 ? Rest : MeanSquare;
          if (root_q == 3'd1) irms_q <= root;
          if (!root_q[0]) u_rms_q <= root;
          if (root_q == 3'd1 || root_q == 3'd3) begin
            state_q <= Apparent;
            ask_q   <= 1'b1;
            a_q     <= 52'(u_rms_q);
            b_q     <= 35'(root);
          end
        end
        Apparent: if (answered) begin
          state_q  <= second_q ? Sum : MeanSquare;
          second_q <= !second_q;
          s_q      <= joined(s_q, apparent);
        end
        Sum: begin
          state_q <= mode_i == 2'd2 ? Scale : SumApparent;
          ask_q   <= mode_i == 2'd2;
          a_q     <= 52'(s_q);
          b_q     <= HalfRoot3;
        end
        Scale: if (answered) begin
          state_q <= SumApparent;
          s_q     <= 64'(answer);
        end
        SumApparent: begin
          state_q <= EnergyS;
          ask_q   <= 1'b1;
          a_q     <= 52'(s_q);
          b_q     <= 35'(half_length_i);
        end
        EnergyS: if (answered) begin
          state_q    <= Select;
          energy_s_q <= product_i[78:24];
        end
        Select: state_q <= Size;
        Size:   state_q <= Add;
        Add:    state_q <= Store;
        Store: begin
          state_q  <= energy_q == 4'd12 ? MeanSquare : Select;
          energy_q <= energy_q + 1'b1;
          unique case (energy_q)
            4'd9:  forward_q <= total_q[71:8];
            4'd10: reverse_q <= total_q[71:8];
            4'd11: lagging_q <= total_q[71:8];
            4'd12: leading_q <= total_q[71:8];
            default: ;
          endcase
        end
        default: state_q <= Rest;
      endcase
    end
  end

  // ---- results --------------------------------------------------------------------------------------------
  logic [2:0] word;  // 32-bit place of a root in METER

  assign word = root_q + 3'd1;

  always_ff @(posedge clk_i) begin
    write_low_o  <= 1'b0;
    write_high_o <= 1'b0;
    unique case (state_q)
      TrueQ: begin
        {write_high_o, write_low_o} <= {2{answered && rst_ni}};
        index_o <= second_q ? 5'd8 : 5'd5;
        data_o  <= 64'(answer);
      end
      KeepP: begin
        {write_high_o, write_low_o} <= {2{rst_ni}};
        index_o <= second_q ? 5'd7 : 5'd4;
        data_o  <= 64'(mean_q);
      end
      TotalP: begin
        {write_high_o, write_low_o} <= {2{rst_ni}};
        index_o <= 5'd10;
        data_o  <= p_q;
      end
      TotalQ: begin
        {write_high_o, write_low_o} <= {2{rst_ni}};
        index_o <= 5'd11;
        data_o  <= q_q;
      end
      Root: begin
        write_low_o  <= rooted && rst_ni && !word[0];
        write_high_o <= rooted && rst_ni && word[0];
        index_o <= 5'(word[2:1]);
        data_o  <= {2'd0, root, 2'd0, root};
      end
      Apparent: begin
        {write_high_o, write_low_o} <= {2{answered && rst_ni}};
        index_o <= second_q ? 5'd9 : 5'd6;
        data_o  <= apparent;
      end
      SumApparent: begin
        {write_high_o, write_low_o} <= {2{rst_ni}};
        index_o <= 5'd12;
        data_o  <= s_q;
      end
      Store: begin
        {write_high_o, write_low_o} <= {2{rst_ni && energy_q <= 4'd8}};
        index_o <= 5'd13 + 5'(energy_q);
        data_o  <= total_q[71:8];
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      irms_o           <= '0;
      p_o              <= '0;
      q_o              <= '0;
      s_o              <= '0;
      loaded_p_o       <= 1'b0;
      loaded_q_o       <= 1'b0;
      energy_forward_o <= '0;
      energy_reverse_o <= '0;
      energy_lagging_o <= '0;
      energy_leading_o <= '0;
    end else if (publishing_i) begin
      energy_forward_o <= forward_q;
      energy_reverse_o <= reverse_q;
      energy_lagging_o <= lagging_q;
      energy_leading_o <= leading_q;
      if (whole_i) begin
        irms_o     <= irms_q;
        p_o        <= p_q;
        q_o        <= q_q;
        s_o        <= s_q;
        loaded_p_o <= loaded_p_q;
        loaded_q_o <= loaded_q_q;
      end
    end
  end
endmodule
