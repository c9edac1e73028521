from kornia_srgan.markdown import markdown_table


def test_bars_in_cells_are_escaped_and_remarks_follow_as_a_list():
    assert markdown_table(["a", "b"], [("c|d", "")]) == "| a | b |\n| --- | --- |\n| c\\|d |  |\n"
    assert markdown_table(["a"], iter([("b",)]), ["c"]) == "| a |\n| --- |\n| b |\n\n- c\n"
