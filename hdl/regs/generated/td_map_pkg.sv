// Made by hdl/regs/generate.py from teiden_frontend.rdl; do not edit.
package td_map_pkg;
  localparam logic [31:0] MapHash = 32'hA45AB90A;
endpackage
