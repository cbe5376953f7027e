"""Diagnoses an emergency department makes often: ICD-10 codes under short names of our own, to be found by typing.

No list of the names of ICD-10 is free to be shipped, so these are not its titles. Each code begins codes of the
ICD-10-CM list behind the code tables, which a test checks; that our names say what the codes mean is to be confirmed
by the site.
"""

from __future__ import annotations

from typing import NamedTuple


class NamedCode(NamedTuple):
    """An ICD-10 code with its short name in both languages."""

    code: str
    english: str
    spanish: str


COMMON_DIAGNOSES = tuple(
    NamedCode(*line)
    for line in (
        ("A09", "gastroenteritis, infectious", "gastroenteritis infecciosa"),
        ("A41.9", "sepsis, organism unknown", "sepsis, germen desconocido"),
        ("A46", "erysipelas", "erisipela"),
        ("B02", "herpes zoster (shingles)", "herpes zóster"),
        ("B34.9", "viral infection", "infección vírica"),
        ("D50", "iron deficiency anaemia", "anemia ferropénica"),
        ("D64.9", "anaemia", "anemia"),
        ("E10.1", "type 1 diabetes with ketoacidosis", "diabetes tipo 1 con cetoacidosis"),
        ("E11", "type 2 diabetes", "diabetes tipo 2"),
        ("E16.2", "hypoglycaemia", "hipoglucemia"),
        ("E86", "dehydration, volume depletion", "deshidratación, hipovolemia"),
        ("E87.1", "hyponatraemia", "hiponatremia"),
        ("E87.5", "hyperkalaemia", "hiperpotasemia"),
        ("F10", "alcohol use disorder or intoxication", "trastorno o intoxicación por alcohol"),
        ("F32", "depressive episode", "episodio depresivo"),
        ("F41", "anxiety or panic disorder", "trastorno de ansiedad o pánico"),
        ("G40", "epilepsy", "epilepsia"),
        ("G43", "migraine", "migraña"),
        ("G45.9", "transient ischaemic attack (TIA)", "accidente isquémico transitorio (AIT)"),
        ("G51.0", "Bell's palsy", "parálisis facial de Bell"),
        ("H10", "conjunctivitis", "conjuntivitis"),
        ("H66", "otitis media, suppurative", "otitis media supurada"),
        ("H81.1", "benign paroxysmal vertigo", "vértigo paroxístico benigno"),
        ("I10", "hypertension", "hipertensión arterial"),
        ("I20", "angina pectoris", "angina de pecho"),
        ("I21", "acute myocardial infarction", "infarto agudo de miocardio"),
        ("I26", "pulmonary embolism", "embolia pulmonar"),
        ("I30", "acute pericarditis", "pericarditis aguda"),
        ("I44", "atrioventricular block", "bloqueo auriculoventricular"),
        ("I46", "cardiac arrest", "parada cardíaca"),
        ("I47.1", "supraventricular tachycardia", "taquicardia supraventricular"),
        ("I48", "atrial fibrillation or flutter", "fibrilación o aleteo auricular"),
        ("I50", "heart failure", "insuficiencia cardíaca"),
        ("I60", "subarachnoid haemorrhage", "hemorragia subaracnoidea"),
        ("I61", "intracerebral haemorrhage", "hemorragia intracerebral"),
        ("I63", "ischaemic stroke", "ictus isquémico"),
        ("I71", "aortic aneurysm or dissection", "aneurisma o disección de aorta"),
        ("I80", "phlebitis, thrombophlebitis", "flebitis, tromboflebitis"),
        ("J02", "acute pharyngitis", "faringitis aguda"),
        ("J03", "acute tonsillitis", "amigdalitis aguda"),
        ("J06.9", "upper respiratory infection (common cold)", "infección respiratoria alta (resfriado)"),
        ("J10", "influenza, virus identified", "gripe, virus identificado"),
        ("J18", "pneumonia", "neumonía"),
        ("J20", "acute bronchitis", "bronquitis aguda"),
        ("J44", "COPD, with or without exacerbation", "EPOC, con o sin agudización"),
        ("J45", "asthma", "asma"),
        ("J81", "pulmonary oedema", "edema pulmonar"),
        ("J93", "pneumothorax", "neumotórax"),
        ("J96", "respiratory failure", "insuficiencia respiratoria"),
        ("K25", "gastric ulcer", "úlcera gástrica"),
        ("K29", "gastritis or duodenitis", "gastritis o duodenitis"),
        ("K35", "acute appendicitis", "apendicitis aguda"),
        ("K56", "bowel obstruction, ileus", "obstrucción intestinal, íleo"),
        ("K57", "diverticular disease, diverticulitis", "enfermedad diverticular, diverticulitis"),
        ("K59.0", "constipation", "estreñimiento"),
        ("K70", "alcoholic liver disease", "hepatopatía alcohólica"),
        ("K74", "liver fibrosis or cirrhosis", "fibrosis o cirrosis hepática"),
        ("K80", "gallstones", "colelitiasis"),
        ("K81", "cholecystitis", "colecistitis"),
        ("K85", "acute pancreatitis", "pancreatitis aguda"),
        ("K92.2", "gastrointestinal bleeding", "hemorragia digestiva"),
        ("L03", "cellulitis", "celulitis"),
        ("L50", "urticaria", "urticaria"),
        ("M10", "gout", "gota"),
        ("M54.5", "low back pain", "lumbalgia"),
        ("N10", "acute pyelonephritis", "pielonefritis aguda"),
        ("N17", "acute kidney injury", "fracaso renal agudo"),
        ("N18", "chronic kidney disease", "enfermedad renal crónica"),
        ("N20", "kidney or ureteral stone", "litiasis renal o ureteral"),
        ("N39.0", "urinary tract infection", "infección urinaria"),
        ("R07", "chest or throat pain", "dolor torácico o de garganta"),
        ("R10", "abdominal pain", "dolor abdominal"),
        ("R42", "dizziness", "mareo"),
        ("R51", "headache", "cefalea"),
        ("R55", "syncope", "síncope"),
        ("S06", "traumatic brain injury, concussion", "traumatismo craneoencefálico, conmoción"),
        ("S52", "forearm fracture", "fractura de antebrazo"),
        ("S72", "femur or hip fracture", "fractura de fémur o cadera"),
        ("T78.2", "anaphylactic shock", "choque anafiláctico"),
    )
)
