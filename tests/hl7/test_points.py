"""Every point a listener should keep, and every bad input that is not one message, has its test by name.

Bad inputs that are one message are cases of `test_bad_input_has_its_answer`, each named by its number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hl7.test_bad_inputs import NOT_OURS

TESTS = Path(__file__).parents[1]

POINTS: dict[int, tuple[str, ...]] = {
    1: ("test_a_stream_gives_its_messages_and_faults_in_order", "test_g61_messages_sent_at_once_are_answered_in_order"),
    2: ("test_a_frame_cut_off_is_kept_and_not_answered",),
    3: ("test_g62_an_oversize_message_is_refused_and_the_connection_closed",),
    4: (
        "test_four_times_the_bytes_take_about_four_times_the_time",
        "test_a_message_in_pieces_of_one_byte_is_linear_too",
    ),
    5: (
        "test_g67_an_idle_sender_is_let_go_of",
        "test_g67_a_frame_that_takes_too_long_ends_its_connection",
        "test_all_connections_together_have_a_limit",
        "test_g67_a_sender_has_so_many_connections_and_others_are_let_in",
    ),
    6: (
        "test_g68_without_a_certificate_that_is_asked_for_nothing_is_taken",
        "test_g68_a_sender_nobody_named_is_closed_on_without_an_answer",
    ),
    7: (
        "test_69_no_message_acknowledged_is_lost_or_doubled_by_kills",
        "test_74_no_message_is_accepted_while_the_database_is_away",
    ),
    8: ("test_enhanced_mode_answers_as_msh_15_and_16_ask", "test_the_control_id_comes_back_byte_for_byte"),
    9: ("test_enhanced_mode_answers_as_msh_15_and_16_ask", "test_a_message_may_get_two_answers"),
    10: ("test_bytes_without_a_header_are_rejected_without_an_id", "test_bad_input_has_its_answer"),
    11: (
        "test_the_same_bytes_again_get_the_same_bytes_and_leave_nothing_new",
        "test_the_same_control_id_with_other_bytes_is_taken_as_new_and_flagged",
    ),
    12: (
        "test_a_correction_replaces_and_marks_predictions_stale",
        "test_the_correction_counts_in_whatever_order_it_comes",
    ),
    13: (
        "test_text_is_read_in_the_declared_character_set",
        "test_latin_1_without_a_declaration_is_read_with_a_remark",
        "test_a_character_set_that_is_unknown_or_untrue_is_refused",
    ),
    14: ("test_delimiters_are_those_the_message_declares", "test_bad_input_has_its_answer"),
    15: ("test_segments_end_in_any_line_end", "test_a_line_feed_that_may_begin_a_segment_is_refused"),
    16: ("test_every_segment_is_accounted_for", "test_lines_that_are_no_segments_are_a_warning"),
    17: ("test_escapes_are_resolved_once_and_unknown_ones_stay",),
    18: ("test_null_is_not_empty", "test_null_clears_an_older_value"),
    19: ("test_value_is_left_out_with_its_reason",),
    20: ("test_value_is_read_by_its_type", "test_value_is_left_out_with_its_reason"),
    21: (
        "test_status_that_counts",
        "test_status_that_does_not_count",
        "test_a_missing_or_misplaced_status_is_final_with_a_remark",
        "test_a_withdrawal_appends_stale_to_the_predictions_built_on_the_value",
    ),
    22: (
        "test_time_of_an_observation",
        "test_without_a_time_the_orders_then_the_messages_counts",
        "test_a_time_that_is_none_is_not_replaced_by_another",
        "test_what_arrives_late_never_makes_an_old_value_the_latest",
    ),
    23: ("test_a_message_of_a_test_is_kept_apart_and_never_scored", "test_only_processing_id_p_is_of_real_patients"),
    24: (
        "test_an_identifier_without_an_authority",
        "test_each_observation_goes_to_its_own_patient",
        "test_after_a_merge_the_readings_of_the_prior_record_count_and_a37_undoes_it",
        "test_after_the_visit_ended_its_readings_are_not_used",
        "test_every_event_that_may_carry_observations_is_read",
    ),
    25: ("test_what_a_device_marks_as_no_measurement_is_left_out", "test_value_is_left_out_with_its_reason"),
    26: ("test_each_reason_has_its_condition", "test_the_site_names_local_codes_and_units"),
    27: ("test_the_site_names_local_codes_and_units", "test_value_is_left_out_with_its_reason"),
    28: ("test_while_a_message_is_handled_nothing_more_is_read_from_its_sender",),
    29: (
        "test_a_message_that_fails_again_and_again_is_left_to_an_operator",
        "test_a_refused_message_is_replayed_once_the_site_knows_it",
    ),
    30: ("test_sigterm_answers_the_message_in_flight_and_ends_with_0",),
    31: ("test_a_heartbeat_is_a_message_without_results",),
    32: (
        "test_messages_and_acknowledgments_are_counted_by_what_became_of_them",
        "test_who_looks_at_a_message_is_in_the_audit_log",
    ),
    33: ("test_bad_input_has_its_answer",),
    34: ("test_an_unsupported_type_is_rejected", "test_every_event_that_may_carry_observations_is_read"),
    35: ("test_one_bad_observation_does_not_lose_the_good_ones",),
    36: ("test_what_cannot_be_scored_is_acknowledged_kept_and_scored_later",),
}

NOT_ONE_MESSAGE: dict[int, tuple[str, ...]] = {
    1: ("test_g61_junk_line_ends_and_missing_carriage_returns_lose_no_message",),
    2: ("test_g62_a_flood_without_messages_is_closed",),
    3: ("test_g67_a_frame_that_takes_too_long_ends_its_connection",),
    4: ("test_g61_junk_line_ends_and_missing_carriage_returns_lose_no_message",),
    5: ("test_a_frame_cut_off_is_kept_and_not_answered",),
    6: ("test_g62_an_oversize_message_is_refused_and_the_connection_closed",),
    7: ("test_g61_junk_line_ends_and_missing_carriage_returns_lose_no_message",),
    8: ("test_g61_messages_sent_at_once_are_answered_in_order",),
    9: ("test_g67_a_frame_that_takes_too_long_ends_its_connection",),
    10: (
        "test_g67_senders_that_reset_leave_nothing_behind",
        "test_the_same_bytes_again_get_the_same_bytes_and_leave_nothing_new",
    ),
    25: ("test_the_same_bytes_again_get_the_same_bytes_and_leave_nothing_new",),
    26: ("test_the_same_control_id_with_other_bytes_is_taken_as_new_and_flagged",),
    40: (
        "test_74_no_message_is_accepted_while_the_database_is_away",
        "test_while_nothing_can_be_stored_the_sender_is_told_to_send_again",
        "test_a_model_that_is_away_is_waited_for",
    ),
}


@pytest.fixture(scope="module")
def source() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("point", range(1, 37))
def test_a_point_of_the_checklist_has_its_test(point: int, source: str) -> None:
    assert POINTS[point]
    assert [name for name in POINTS[point] if f"def {name}(" not in source] == []


@pytest.mark.parametrize("number", sorted(NOT_OURS))
def test_a_bad_input_that_is_not_one_message_has_its_test(number: int, source: str) -> None:
    assert NOT_ONE_MESSAGE[number]
    assert [name for name in NOT_ONE_MESSAGE[number] if f"def {name}(" not in source] == []
