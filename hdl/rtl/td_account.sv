// What becomes of a closed half cycle (closed_i, td_sums): RMS, powers and energies of both elements, in the
// background. Over one cycle (pair_i), else over the half cycle alone:
//   mean      sum 2^24 / length, towards 0: active power; reactive times 1 / sin(36 w), rounded down
//   RMS       root of sum 2^32 / length, 1/16 code
//   apparent  U I / 2^8; of both: S1 + S2, with two-element wiring (S1 + S2) sqrt(3) / 2
// 1 / sin(36 w): x = 36 w - pi/2 = (pi/2) r with r = (144 - T) / T; 1 / cos x = 1 + c1 r^2 + c2 r^4 + c3 r^6.
// Energies count |energy of the half cycle|, 2^8 squared codes x sample: active by the sign of each
// element and of the sum, reactive of the sum by quadrant and by sign, apparent S x length. They stand still
// below the no-load thresholds, compared with the powers of the cycle.
//
// A small sequencer runs one program (program_of) for each half cycle. A step adds two numbers of 96 bits, 32 bits a
// clock, and stores the sum: to = x + or - y, where x is a word of a memory and y another one, a sum of td_sums, a
// quotient, root or product, or a setting. Beside it run one division or root (td_divide_root) and one
// multiplication (td_product, whenever free_i lets it); steps that use what they give wait for it.
//
// Results leave word by word, index_o as METER in hdl/regs/teiden_frontend.rdl has the words, all of them after each
// closed_i; words 44 to 51 are the energies of both elements by sign, for the outputs below. *_o of the sums of
// elements change with publishing_i (td_half_cycle), powers only if whole_i.
// Done at most 940 clocks after closed_i at 64 clocks a sample or more, before publishing_i comes. Its energies are
// emptied in the first 60 clocks after reset; a closed_i among them waits.
module td_account #(
  parameter int MinPeriod = 114,  // cycles beyond are taken for this long in sin(36 w)
  parameter int MaxPeriod = 188
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic        [1:0]  mode_i,        // wiring
  input  logic        [31:0] no_load_p_i,   // 256 squared codes
  input  logic        [31:0] no_load_q_i,
  input  logic               closed_i,
  input  logic               gap_i,         // from td_sums: a piece that belongs to no half cycle
  input  logic        [24:0] half_length_i,    // 1/65536 sample
  input  logic        [24:0] former_length_i,
  input  logic               pair_i,
  output logic        [3:0]  sum_o,         // which sum is wanted from td_sums
  output logic               former_o,      // of the half cycle before
  input  logic signed [54:0] sum_i,
  input  logic               free_i,        // td_product takes operands in this clock
  output logic               start_o,
  output logic signed [51:0] a_o,           // steady while start_o is high
  output logic signed [34:0] b_o,
  input  logic signed [80:0] product_i,     // 4 clocks after its operands
  output logic               write_o,
  output logic        [5:0]  index_o,
  output logic        [31:0] data_o,
  input  logic               publishing_i,
  input  logic               whole_i,
  output logic signed [63:0] p_o,
  output logic signed [63:0] q_o,
  output logic               loaded_p_o,    // the active power is above its no-load threshold
  output logic               loaded_q_o,
  output logic        [63:0] energy_forward_o,
  output logic        [63:0] energy_reverse_o,
  output logic        [63:0] energy_lagging_o,
  output logic        [63:0] energy_leading_o
);
  // ---- what a step says ------------------------------------------------------------------------------------
  // Numbers in the memory. 0 to 25 are the pairs of words in METER: what is stored there leaves as a result too.
  // Energies, from 13 on, have 8 bits more than what leaves.
  localparam logic [5:0] RmsU1 = 6'd0, RmsI1 = 6'd1, RmsU2 = 6'd1, RmsI2 = 6'd2, RmsLine = 6'd2, RmsCommon = 6'd3;
  localparam logic [5:0] P1 = 6'd4, Q1 = 6'd5, S1 = 6'd6, P2 = 6'd7, Q2 = 6'd8, S2 = 6'd9;
  localparam logic [5:0] P = 6'd10, Q = 6'd11, S = 6'd12;
  localparam logic [5:0] Forward1 = 6'd13, Reverse1 = 6'd14, Forward2 = 6'd15, Reverse2 = 6'd16;
  localparam logic [5:0] Quad1 = 6'd17, Quad2 = 6'd18, Quad3 = 6'd19, Quad4 = 6'd20, Apparent = 6'd21;
  localparam logic [5:0] Forward = 6'd22, Reverse = 6'd23, Lagging = 6'd24, Leading = 6'd25;
  localparam logic [5:0] EnergyP1 = 6'd26, EnergyP2 = 6'd27, EnergyP = 6'd28, EnergyQ = 6'd29, EnergyS = 6'd30;
  localparam logic [5:0] MeanQ1 = 6'd31, MeanQ2 = 6'd32, Cycle = 6'd33, T = 6'd34, V = 6'd35, Void = 6'd36;
  localparam logic [5:0] MoreP1 = 6'd37, MoreP2 = 6'd38, MoreQ1 = 6'd39, MoreQ2 = 6'd40;  // energies of no half cycle
  // Constants, never stored to.
  localparam logic [5:0] Zero = 6'd48, Shortest = 6'd49, Longest = 6'd50, Middle = 6'd51, C1 = 6'd52, C2 = 6'd53;
  localparam logic [5:0] C3 = 6'd54, One = 6'd55, Sin60 = 6'd56, Scale = 6'd57;

  // When it begins.
  localparam logic [1:0] Now = 2'd0, Closed = 2'd1, Answered = 2'd2, Divided = 2'd3;

  // y: a Sum of td_sums, the quotient, the product over 2^20 or 2^24, a threshold, a number of one word, one of the memory.
  localparam logic [2:0] Sum = 3'd0, Quotient = 3'd1, Product = 3'd2, Product24 = 3'd3, NoLoad = 3'd4;
  localparam logic [2:0] Short = 3'd5, Word = 3'd7;
  // Which: of a Sum its place, 16 more for the half cycle before if it is a neighbour, 48 more for what was before in
  // any case; of Short which, by its two lowest bits; of a Word the number.
  localparam logic [5:0] Root = 6'd10, Length = 6'd11, Length2 = 6'd12, ForP = 6'd0, ForQ = 6'd1;
  localparam logic [1:0] Threshold = 2'd1;  // beside the lowest bits of these three

  // Sign of y: Absolute negates it if the last sum was negative, OfMean if that of the mean was.
  localparam logic [1:0] Plus = 2'd0, Minus = 2'd1, Absolute = 2'd2, OfMean = 2'd3;

  // When y counts; it is 0 otherwise. By wiring, by pair_i, by SignP; from Out1 on by the energies' signs and the load:
  // active of an element or of both, reactive of both, quadrants, any load.
  localparam logic [4:0] Always = 5'd0, IfJoint = 5'd1, IfThree = 5'd2, IfPair = 5'd3, IfAlone = 5'd4;
  localparam logic [4:0] IfBack = 5'd5, IfOut = 5'd6;
  localparam logic [4:0] Out1 = 5'd8, Back1 = 5'd9, Out2 = 5'd10, Back2 = 5'd11, Out = 5'd12, Back = 5'd13;
  localparam logic [4:0] Lags = 5'd14, Leads = 5'd15, First = 5'd16, Second = 5'd17, Third = 5'd18, Fourth = 5'd19;
  localparam logic [4:0] AnyLoad = 5'd20;

  // Where the sum goes beside the memory.
  localparam logic [2:0] Nowhere = 3'd0, A = 3'd1, B = 3'd2, AB = 3'd3, Size = 3'd4, Divisor = 3'd5;

  // What its sign is kept as; High: it leaves as the upper word of its pair.
  localparam logic [2:0] None = 3'd0, SignP1 = 3'd1, SignP2 = 3'd2, SignP = 3'd3, SignQ = 3'd4;
  localparam logic [2:0] LoadP = 3'd5, LoadQ = 3'd6, High = 3'd7;

  // What begins when it is done: a product, a quotient, a root, root and product; End: the program from the top.
  localparam logic [2:0] Go = 3'd0, Multiply = 3'd1, End = 3'd2, Ratio = 3'd4, Mean = 3'd5, Square = 3'd6, Both = 3'd7;

  localparam int StepWidth = 39;
  localparam logic [6:0] GapStart = 7'd103, ClearStart = 7'd107;  // places of two more programs

  // Columns: when, x, y and which, its sign, when it counts, where the sum goes twice, what is kept, what begins.
  (* ram_style = "block" *)
  logic [StepWidth-1:0] program_q[128];

  initial begin
    for (int j = 0; j < 128; j++) program_q[j] = '0;
    // length of the cycle, within limits for r
    program_q[0]   = {Closed,   Zero,     Short,     Length,   Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[1]   = {Now,      T,        Short,     Length2,  Plus,     IfPair,  T,         Nowhere, None,   Go};
    program_q[2]   = {Now,      T,        Short,     Length,   Plus,     IfAlone, Cycle,     Nowhere, None,   Go};
    program_q[3]   = {Now,      Cycle,    Word,      Shortest, Minus,    Always,  V,         Nowhere, SignP,  Go};
    program_q[4]   = {Now,      Zero,     Sum,       6'h16,    Plus,     Always,  MeanQ1,    Nowhere, None,   Go};
    program_q[5]   = {Now,      Cycle,    Word,      V,        Minus,    IfBack,  T,         Nowhere, None,   Go};
    program_q[6]   = {Now,      T,        Word,      Longest,  Minus,    Always,  V,         Nowhere, SignP,  Go};
    program_q[7]   = {Now,      MeanQ1,   Sum,       6'h06,    Plus,     Always,  MeanQ1,    Nowhere, None,   Go};
    program_q[8]   = {Now,      T,        Word,      V,        Minus,    IfOut,   T,         Nowhere, None,   Go};
    program_q[9]   = {Now,      T,        Word,      Middle,   Minus,    Always,  V,         Nowhere, None,   Go};
    program_q[10]  = {Now,      Zero,     Word,      V,        Absolute, Always,  Void,      Size,    None,   Go};
    program_q[11]  = {Now,      T,        Word,      Zero,     Plus,     Always,  Void,      Divisor, None,   Ratio};
    // series of r, between the means
    program_q[12]  = {Now,      MeanQ1,   Word,      Zero,     Plus,     Always,  Void,      Nowhere, None,   Go};
    program_q[13]  = {Now,      Zero,     Word,      MeanQ1,   Absolute, Always,  Void,      Size,    None,   Go};
    program_q[14]  = {Divided,  Zero,     Quotient,  Zero,     Plus,     Always,  Void,      AB,      None,   Multiply};
    program_q[15]  = {Now,      Cycle,    Word,      Zero,     Plus,     Always,  Void,      Divisor, None,   Mean};
    program_q[16]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  Void,      A,       None,   Go};
    program_q[17]  = {Now,      C3,       Word,      Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[18]  = {Now,      Zero,     Sum,       6'h17,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[19]  = {Now,      T,        Sum,       6'h07,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[20]  = {Now,      Zero,     Word,      T,        Absolute, Always,  Void,      Size,    None,   Go};
    program_q[21]  = {Answered, C2,       Product,   Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[22]  = {Divided,  Zero,     Quotient,  Zero,     OfMean,   Always,  MeanQ1,    Nowhere, None,   Mean};
    program_q[23]  = {Answered, C1,       Product,   Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[24]  = {Now,      Zero,     Sum,       6'h10,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[25]  = {Now,      T,        Sum,       6'h00,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[26]  = {Now,      Zero,     Word,      T,        Absolute, Always,  Void,      Size,    None,   Go};
    program_q[27]  = {Answered, One,      Product,   Zero,     Plus,     Always,  Void,      B,       None,   Go};
    program_q[28]  = {Divided,  Zero,     Quotient,  Zero,     OfMean,   Always,  MeanQ2,    Nowhere, None,   Mean};
    // reactive powers and energies; the series stays in b
    program_q[29]  = {Now,      MeanQ1,   Word,      Zero,     Plus,     Always,  Void,      A,       None,   Multiply};
    program_q[30]  = {Now,      Zero,     Sum,       6'h11,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[31]  = {Now,      T,        Sum,       6'h01,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[32]  = {Now,      Zero,     Word,      T,        Absolute, Always,  Void,      Size,    None,   Go};
    program_q[33]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  Q1,        Nowhere, None,   Go};
    program_q[34]  = {Now,      Zero,     Sum,       6'h06,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[35]  = {Now,      T,        Word,      MoreQ1,   Plus,     Always,  Void,      A,       None,   Multiply};
    program_q[36]  = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreQ1,    Nowhere, None,   Go};
    program_q[37]  = {Divided,  Zero,     Quotient,  Zero,     OfMean,   Always,  P1,        Nowhere, None,   Mean};
    program_q[38]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  EnergyQ,   Nowhere, None,   Go};
    program_q[39]  = {Now,      MeanQ2,   Word,      Zero,     Plus,     Always,  Void,      A,       None,   Multiply};
    program_q[40]  = {Now,      Zero,     Sum,       6'h12,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[41]  = {Now,      T,        Sum,       6'h02,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[42]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  Q2,        Nowhere, None,   Go};
    program_q[43]  = {Now,      Q1,       Word,      Q2,       Plus,     IfJoint, Q,         Nowhere, None,   Go};
    program_q[44]  = {Now,      Zero,     Sum,       6'h07,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[45]  = {Now,      T,        Word,      MoreQ2,   Plus,     Always,  Void,      A,       None,   Multiply};
    program_q[46]  = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreQ2,    Nowhere, None,   Go};
    program_q[47]  = {Divided,  Zero,     Quotient,  Zero,     OfMean,   Always,  P2,        Nowhere, None,   Square};
    program_q[48]  = {Answered, EnergyQ,  Product,   Zero,     Plus,     IfJoint, EnergyQ,   Nowhere, SignQ,  Go};
    // no-load thresholds, active energies
    program_q[49]  = {Now,      P1,       Word,      P2,       Plus,     IfJoint, P,         Nowhere, None,   Go};
    program_q[50]  = {Now,      Zero,     Word,      P,        Absolute, Always,  T,         Nowhere, None,   Go};
    program_q[51]  = {Now,      T,        NoLoad,    ForP,     Minus,    Always,  Void,      Nowhere, LoadP,  Go};
    program_q[52]  = {Now,      Zero,     Word,      Q,        Plus,     Always,  Void,      Nowhere, None,   Go};
    program_q[53]  = {Now,      Zero,     Word,      Q,        Absolute, Always,  T,         Nowhere, None,   Go};
    program_q[54]  = {Now,      T,        NoLoad,    ForQ,     Minus,    Always,  Void,      Nowhere, LoadQ,  Go};
    program_q[55]  = {Now,      Zero,     Sum,       6'h00,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[56]  = {Now,      T,        Word,      MoreP1,   Plus,     Always,  EnergyP1,  Nowhere, SignP1, Go};
    program_q[57]  = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreP1,    Nowhere, None,   Go};
    program_q[58]  = {Now,      Zero,     Sum,       6'h01,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[59]  = {Now,      T,        Word,      MoreP2,   Plus,     Always,  EnergyP2,  Nowhere, SignP2, Go};
    program_q[60]  = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreP2,    Nowhere, None,   Go};
    program_q[61]  = {Now,      EnergyP1, Word,      EnergyP2, Plus,     IfJoint, EnergyP,   Nowhere, SignP,  Go};
    // RMS, apparent powers: U 2^12 comes from a product with Scale
    program_q[62]  = {Now,      Zero,     Sum,       6'h13,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[63]  = {Now,      T,        Sum,       6'h03,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[64]  = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsU1,     A,       High,   Square};
    program_q[65]  = {Now,      Scale,    Word,      Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[66]  = {Now,      Zero,     Sum,       6'h14,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[67]  = {Now,      T,        Sum,       6'h04,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[68]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  Void,      A,       None,   Go};
    program_q[69]  = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsI1,     B,       None,   Both};
    program_q[70]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  S1,        Nowhere, None,   Go};
    program_q[71]  = {Now,      Zero,     Sum,       6'h15,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[72]  = {Now,      T,        Sum,       6'h05,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[73]  = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsU2,     A,       High,   Square};
    program_q[74]  = {Now,      Scale,    Word,      Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[75]  = {Now,      Zero,     Sum,       6'h18,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[76]  = {Now,      T,        Sum,       6'h08,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[77]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  Void,      A,       None,   Go};
    program_q[78]  = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsI2,     B,       None,   Both};
    program_q[79]  = {Answered, Zero,     Product,   Zero,     Plus,     Always,  S2,        Nowhere, None,   Go};
    program_q[80]  = {Now,      S1,       Word,      S2,       Plus,     IfJoint, S,         A,       None,   Go};
    program_q[81]  = {Now,      Sin60,    Word,      Zero,     Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[82]  = {Now,      Zero,     Sum,       6'h19,    Plus,     Always,  T,         Nowhere, None,   Go};
    program_q[83]  = {Now,      T,        Sum,       6'h09,    Plus,     Always,  Void,      Size,    None,   Go};
    program_q[84]  = {Answered, S,        Product,   Zero,     Minus,    Always,  V,         Nowhere, None,   Go};
    program_q[85]  = {Now,      S,        Word,      V,        Minus,    IfThree, S,         A,       None,   Go};
    program_q[86]  = {Now,      Zero,     Short,     Length,   Plus,     Always,  Void,      B,       None,   Multiply};
    program_q[87]  = {Answered, Zero,     Product24, Zero,     Plus,     Always,  EnergyS,   Nowhere, None,   Go};
    program_q[88]  = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsLine,   Nowhere, High,   Square};
    // energies
    program_q[89]  = {Now,      Forward1, Word,      EnergyP1, Plus,     Out1,    Forward1,  Nowhere, None,   Go};
    program_q[90]  = {Now,      Reverse1, Word,      EnergyP1, Minus,    Back1,   Reverse1,  Nowhere, None,   Go};
    program_q[91]  = {Now,      Forward2, Word,      EnergyP2, Plus,     Out2,    Forward2,  Nowhere, None,   Go};
    program_q[92]  = {Now,      Reverse2, Word,      EnergyP2, Minus,    Back2,   Reverse2,  Nowhere, None,   Go};
    program_q[93]  = {Now,      Quad1,    Word,      EnergyQ,  Plus,     First,   Quad1,     Nowhere, None,   Go};
    program_q[94]  = {Now,      Quad2,    Word,      EnergyQ,  Plus,     Second,  Quad2,     Nowhere, None,   Go};
    program_q[95]  = {Now,      Quad3,    Word,      EnergyQ,  Minus,    Third,   Quad3,     Nowhere, None,   Go};
    program_q[96]  = {Now,      Quad4,    Word,      EnergyQ,  Minus,    Fourth,  Quad4,     Nowhere, None,   Go};
    program_q[97]  = {Now,      Apparent, Word,      EnergyS,  Plus,     AnyLoad, Apparent,  Nowhere, None,   Go};
    program_q[98]  = {Now,      Forward,  Word,      EnergyP,  Plus,     Out,     Forward,   Nowhere, None,   Go};
    program_q[99]  = {Now,      Reverse,  Word,      EnergyP,  Minus,    Back,    Reverse,   Nowhere, None,   Go};
    program_q[100] = {Now,      Lagging,  Word,      EnergyQ,  Plus,     Lags,    Lagging,   Nowhere, None,   Go};
    program_q[101] = {Now,      Leading,  Word,      EnergyQ,  Minus,    Leads,   Leading,   Nowhere, None,   Go};
    program_q[102] = {Divided,  Zero,     Short,     Root,     Plus,     Always,  RmsCommon, Nowhere, None,   End};
    // a piece that belongs to no half cycle
    program_q[103] = {Now,      MoreP1,   Sum,       6'h30,    Plus,     Always,  MoreP1,    Nowhere, None,   Go};
    program_q[104] = {Now,      MoreP2,   Sum,       6'h31,    Plus,     Always,  MoreP2,    Nowhere, None,   Go};
    program_q[105] = {Now,      MoreQ1,   Sum,       6'h36,    Plus,     Always,  MoreQ1,    Nowhere, None,   Go};
    program_q[106] = {Now,      MoreQ2,   Sum,       6'h37,    Plus,     Always,  MoreQ2,    Nowhere, None,   End};
    // all that is kept is 0 after reset
    program_q[107] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Forward1,  Nowhere, None,   Go};
    program_q[108] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Reverse1,  Nowhere, None,   Go};
    program_q[109] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Forward2,  Nowhere, None,   Go};
    program_q[110] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Reverse2,  Nowhere, None,   Go};
    program_q[111] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Quad1,     Nowhere, None,   Go};
    program_q[112] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Quad2,     Nowhere, None,   Go};
    program_q[113] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Quad3,     Nowhere, None,   Go};
    program_q[114] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Quad4,     Nowhere, None,   Go};
    program_q[115] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Apparent,  Nowhere, None,   Go};
    program_q[116] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Forward,   Nowhere, None,   Go};
    program_q[117] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Reverse,   Nowhere, None,   Go};
    program_q[118] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Lagging,   Nowhere, None,   Go};
    program_q[119] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  Leading,   Nowhere, None,   Go};
    program_q[120] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreP1,    Nowhere, None,   Go};
    program_q[121] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreP2,    Nowhere, None,   Go};
    program_q[122] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreQ1,    Nowhere, None,   Go};
    program_q[123] = {Now,      Zero,     Word,      Zero,     Plus,     Always,  MoreQ2,    Nowhere, None,   End};
  end

  // ---- steps, one word of 32 bits a clock through three stages ------------------------------------------------
  // Stage 1 reads the memory, stage 2 chooses y, stage 3 adds and stores: the next step may use the sum at once.
  logic [6:0]           at_q;    // place of the step that follows
  logic [StepWidth-1:0] step_q;  // that step
  logic [1:0] begin_q;           // after reset: the first step is read, is taken
  logic       take;              // the step that follows
  logic due_q, gap_q;  // a half cycle or a piece is due; it is a piece
  logic [1:0] when_q, word_q, word2_q, word3_q;
  logic ready, go2_q, go3_q;
  logic [5:0] x_place_q, y_place_q, to_q, to2_q, to3_q;
  logic [5:0] y_place2_q;
  logic [2:0] y_kind_q, into_q, keep_q, then_q, y_kind2_q, into2_q, keep2_q, then2_q, into3_q, keep3_q, then3_q;
  logic [1:0] sign_q, sign2_q, sign3_q;
  logic [4:0] gate_q, gate2_q;
  logic last, last3, multiplying_q, dividing_q, divided, answered;

  always_comb begin
    unique case (when_q)
      Closed:   ready = due_q;
      Answered: ready = !multiplying_q;
      Divided:  ready = !dividing_q;
      default:  ready = 1'b1;
    endcase
    ready = ready && begin_q == '0;
  end

  assign last  = word_q == 2'd2;
  assign take  = last || begin_q[1];
  assign last3 = go3_q && word3_q == 2'd2;

  always_ff @(posedge clk_i) begin
    step_q <= program_q[at_q];
    if (!rst_ni) begin
      at_q    <= ClearStart;
      begin_q <= 2'b01;
    end else begin
      begin_q <= begin_q << 1;
      if (take) at_q <= step_q[2:0] == End ? '0 : at_q + 1'b1;
      else if (gap_q && when_q == Closed && word_q == '0) at_q <= GapStart;
    end
    if (take) {when_q, x_place_q, y_kind_q, y_place_q, sign_q, gate_q, to_q, into_q, keep_q, then_q} <= step_q;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      due_q         <= 1'b0;
      gap_q         <= 1'b0;
      word_q        <= '0;
      go2_q         <= 1'b0;
      go3_q         <= 1'b0;
      multiplying_q <= 1'b0;
      dividing_q    <= 1'b0;
    end else begin
      due_q <= closed_i || gap_i || (due_q && (when_q != Closed || !ready));
      gap_q <= gap_i || (gap_q && when_q != Closed);
      if (last) word_q <= '0;
      else if (word_q != '0 || ready) word_q <= word_q + 1'b1;
      go2_q <= word_q != '0 || ready;
      go3_q <= go2_q;
      if (last && (then_q == Multiply || then_q == Both)) multiplying_q <= 1'b1;
      else if (answered) multiplying_q <= 1'b0;
      if (last && then_q[2]) dividing_q <= 1'b1;
      else if (divided) dividing_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    {word2_q, y_kind2_q, y_place2_q, sign2_q, gate2_q, to2_q, into2_q, keep2_q, then2_q}
        <= {word_q, y_kind_q, y_place_q, sign_q, gate_q, to_q, into_q, keep_q, then_q};
    {word3_q, sign3_q, to3_q, into3_q, keep3_q, then3_q}
        <= {word2_q, sign2_q, to2_q, into2_q, keep2_q, then2_q};
  end

  // ---- memory, and what else y may be ----------------------------------------------------------------------
  logic [31:0] memory_q[256];
  logic [31:0] x_read_q, y_read_q, x_q, sum;
  logic [31:0] y_word_q, y_sum_q, y_product_q, y_input_q;  // all but one are 0
  logic [31:0] y_sum, y_product, y_input, no_load;
  logic [63:0] total, product20, product24;
  logic        [59:0] quotient;
  logic        [29:0] root;
  logic        [80:20] product_q;
  logic upper, top, negative2, counts;
  logic y_sign_q;  // y, of which all four are 0, is all ones

  initial begin
    for (int j = 0; j < 256; j++) memory_q[j] = '0;
    memory_q[{Shortest, 2'd0}]  = 32'(MinPeriod << 16);
    memory_q[{Longest, 2'd0}]   = 32'(MaxPeriod << 16);
    memory_q[{Middle, 2'd0}]    = 32'(144 << 16);
    memory_q[{C1, 2'd0}]        = 32'd1293629;  // (pi/2)^2 / 2, 2^-20
    memory_q[{C2, 2'd0}]        = 32'd1329959;  // 5 (pi/2)^4 / 24
    memory_q[{C3, 2'd0}]        = 32'd1334494;  // 61 (pi/2)^6 / 720
    memory_q[{One, 2'd0}]       = 32'd1048576;
    memory_q[{Sin60, 2'd0}]     = 32'd908093;   // 2^-20
    memory_q[{Scale, 2'd1}]     = 32'd1;        // 2^32
  end

  assign sum_o      = y_place2_q[3:0];
  assign former_o   = y_place2_q[4] && (y_place2_q[5] || pair_i);
  assign total      = 64'(sum_i);
  assign product20  = 64'($signed(product_q[80:20]));
  assign product24  = 64'($signed(product_q[80:24]));
  assign no_load    = y_place2_q[0] ? no_load_q_i : no_load_p_i;
  assign upper      = word2_q[0];
  assign top        = word2_q[1];  // the third word, which has nothing but the sign
  // The product over 2^24, an apparent energy, has no sign.
  assign negative2  = (y_kind2_q == Sum && sum_i[54]) || (y_kind2_q == Product && product_q[80]);

  always_comb begin
    unique case ({
      y_kind2_q[0], upper
    })
      2'b00:   y_sum = total[31:0];
      2'b01:   y_sum = total[63:32];
      2'b10:   y_sum = quotient[31:0];
      default: y_sum = {4'd0, quotient[59:32]};
    endcase
    unique case ({
      y_kind2_q[0], upper
    })
      2'b00:   y_product = product20[31:0];
      2'b01:   y_product = product20[63:32];
      2'b10:   y_product = product24[31:0];
      default: y_product = product24[63:32];
    endcase
    unique case (y_kind2_q == Short ? y_place2_q[1:0] : Threshold)
      Threshold:   y_input = upper ? {24'd0, no_load[31:24]} : {no_load[23:0], 8'd0};
      Root[1:0]:   y_input = 32'(root);
      Length[1:0]: y_input = 32'(half_length_i);
      default:     y_input = 32'(former_length_i);
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (answered) product_q <= product_i[80:20];  // others follow
    x_read_q <= memory_q[{x_place_q, word_q}];
    y_read_q <= memory_q[{y_place_q, word_q}];
    if (go3_q) memory_q[{to3_q, word3_q}] <= sum;
  end

  always_ff @(posedge clk_i) begin
    x_q      <= x_read_q;
    y_sign_q <= counts && top && negative2;
    if (counts && y_kind2_q == Word) y_word_q <= y_read_q;
    else y_word_q <= '0;
    if (counts && !top && y_kind2_q[2:1] == Sum[2:1]) y_sum_q <= y_sum;
    else y_sum_q <= '0;
    if (counts && !top && y_kind2_q[2:1] == Product[2:1]) y_product_q <= y_product;
    else y_product_q <= '0;
    if (counts && !top && (y_kind2_q == NoLoad || (y_kind2_q == Short && !upper))) y_input_q <= y_input;
    else y_input_q <= '0;
  end

  // ---- addition ---------------------------------------------------------------------------------------------
  logic negate, carry_q, carry, below_q;
  logic back1_q, back2_q, back_q, leads_q, loaded_p_q, loaded_q_q;

  always_comb begin
    unique case (gate2_q)
      IfJoint: counts = mode_i != 2'd0;
      IfThree: counts = mode_i == 2'd2;
      IfPair:  counts = pair_i;
      IfAlone: counts = !pair_i;
      IfBack:  counts = back_q;
      IfOut:   counts = !back_q;
      Out1:    counts = loaded_p_q && !back1_q;
      Back1:   counts = loaded_p_q && back1_q;
      Out2:    counts = loaded_p_q && !back2_q;
      Back2:   counts = loaded_p_q && back2_q;
      Out:     counts = loaded_p_q && !back_q;
      Back:    counts = loaded_p_q && back_q;
      Lags:    counts = loaded_q_q && !leads_q;
      Leads:   counts = loaded_q_q && leads_q;
      First:   counts = loaded_q_q && !back_q && !leads_q;
      Second:  counts = loaded_q_q && back_q && !leads_q;
      Third:   counts = loaded_q_q && back_q && leads_q;
      Fourth:  counts = loaded_q_q && !back_q && leads_q;
      AnyLoad: counts = loaded_p_q || loaded_q_q;
      default: counts = 1'b1;
    endcase
    unique case (sign3_q)
      Minus:    negate = 1'b1;
      Absolute: negate = below_q;
      OfMean:   negate = divided_negative_q;
      default:  negate = 1'b0;
    endcase
  end

  assign {carry, sum} = {1'b0, x_q}
                      + {1'b0, (y_word_q | y_sum_q | y_product_q | y_input_q) ^ {32{negate != y_sign_q}}}
                      + 33'(word3_q == '0 ? negate : carry_q);

  always_ff @(posedge clk_i) begin
    carry_q <= carry;
    if (last3) begin
      below_q <= sum[31];
      unique case (keep3_q)
        SignP1:  back1_q    <= sum[31];
        SignP2:  back2_q    <= sum[31];
        SignP:   back_q     <= sum[31];
        SignQ:   leads_q    <= sum[31];
        LoadP:   loaded_p_q <= !sum[31];
        LoadQ:   loaded_q_q <= !sum[31];
        default: ;
      endcase
    end
  end

  // ---- one division or root ----------------------------------------------------------------------------------
  logic divide, size_negative_q, divided_negative_q;
  logic [54:0] size_q;
  logic [25:0] divisor_q;

  assign divide = last3 && then3_q[2];

  always_ff @(posedge clk_i) begin
    if (go3_q && into3_q == Size) begin
      if (word3_q == 2'd0) size_q[31:0] <= sum;
      if (word3_q == 2'd1) size_q[54:32] <= sum[22:0];
      size_negative_q <= negate;
    end
    if (go3_q && into3_q == Divisor && word3_q == 2'd0) divisor_q <= sum[25:0];
    if (divide) divided_negative_q <= size_negative_q;
  end

  td_divide_root u_divide (
    .clk_i,
    .rst_ni,
    .start_i   (divide),
    .steps_i   (then3_q[1] ? 6'd60 : (then3_q[0] ? 6'd52 : 6'd48)),  // size 2^32, 2^24 or 2^20 over the divisor
    .size_i    (size_q),
    .divisor_i (divisor_q),
    .done_o    (divided),
    .quotient_o(quotient),
    .root_o    (root)
  );

  // ---- one multiplication: begun when the multiplier is free, answered 4 clocks later ---------------------------
  logic               ask_q;
  logic        [3:1]  wait_q;
  logic signed [51:0] a_q;
  logic signed [34:0] b_q;

  assign start_o = ask_q && free_i;
  assign a_o     = a_q;
  assign b_o     = b_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {answered, wait_q} <= '0;
      ask_q              <= 1'b0;
    end else begin
      {answered, wait_q} <= {wait_q, start_o};
      if (last3 && (then3_q == Multiply || then3_q == Both)) ask_q <= 1'b1;
      else if (free_i) ask_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (go3_q && (into3_q == A || into3_q == AB)) begin
      if (word3_q == 2'd0) a_q[31:0] <= sum;
      if (word3_q == 2'd1) a_q[51:32] <= sum[19:0];
    end
    if (go3_q && (into3_q == B || into3_q == AB)) begin
      if (word3_q == 2'd0) b_q[31:0] <= sum;
      if (word3_q == 2'd1) b_q[34:32] <= sum[2:0];
    end
  end

  // ---- results --------------------------------------------------------------------------------------------
  logic energy, rms, leaves;
  logic [31:8] before_q;  // of the word before

  assign energy = to3_q >= Forward1;
  assign rms    = to3_q <= RmsCommon;
  assign leaves = go3_q && to3_q <= Leading
               && (energy ? word3_q != 2'd0 : (word3_q == 2'd0 || (word3_q == 2'd1 && !rms)));

  always_ff @(posedge clk_i) begin
    before_q <= sum[31:8];
    write_o  <= rst_ni && leaves;
    index_o  <= {to3_q[4:0], rms ? keep3_q == High : word3_q[0] != energy};
    data_o   <= energy ? {sum[7:0], before_q} : sum;
  end

  // ---- publication ------------------------------------------------------------------------------------------
  logic signed [63:0] p_q, q_q;
  logic [63:0] forward_q, reverse_q, lagging_q, leading_q;

  // Takes a word of a result that has just left.
  function automatic logic [63:0] taken(input logic [63:0] former, input logic [4:0] number);
    taken = former;
    if (write_o && index_o == {number, 1'b0}) taken[31:0] = data_o;
    if (write_o && index_o == {number, 1'b1}) taken[63:32] = data_o;
  endfunction

  always_ff @(posedge clk_i) begin
    p_q       <= taken(p_q, P[4:0]);
    q_q       <= taken(q_q, Q[4:0]);
    forward_q <= taken(forward_q, Forward[4:0]);
    reverse_q <= taken(reverse_q, Reverse[4:0]);
    lagging_q <= taken(lagging_q, Lagging[4:0]);
    leading_q <= taken(leading_q, Leading[4:0]);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      p_o              <= '0;
      q_o              <= '0;
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
        p_o        <= p_q;
        q_o        <= q_q;
        loaded_p_o <= loaded_p_q;
        loaded_q_o <= loaded_q_q;
      end
    end
  end
endmodule
